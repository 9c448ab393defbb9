"""What the quality harness asks of its films, and what is true: written before the tool was ever asked.

The questions of a film stand in the order in which they are asked: a follow-up comes after what it follows.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from quality_films import BOTTLING, CARPARK, EVENING, HARBOUR, JOURNEY, PARROT, SMALL_THINGS, STREET, Ranges

Kind = Literal[
    "object", "place", "said", "written", "when", "order", "count", "compound", "follow-up", "unanswerable"
]  # fmt: skip
Words = tuple[tuple[str, ...], ...]
YES, NO = (("yes",),), (("no",),)


@dataclass(frozen=True)
class Question:
    """A question, and what is true."""

    id: str
    film: str
    text: str
    kind: Kind
    truth: str  # in words, printed beside the answer
    keywords: Words = ()  # of each group the answer holds one
    ranges_s: Ranges = ()  # where citing is right
    names_time: bool = False  # the answer names a time, and none outside the ranges
    count: float | None = None  # the number that the answer names first
    same_as: str = ""  # the earlier question that means the same
    tolerance: float = 0.0  # how far, as a share, the number may be from `count`
    instead: tuple[str, ...] = ()  # words of wrong answers: none stands before the first keyword


def questions() -> tuple[Question, ...]:
    """Return the first questions, film by film; `quality_more.all_questions` adds those written later."""
    return harbour() + carpark() + small_things() + evening() + street() + bottling() + parrot() + journey()


# ---------------------------------------------------------------------- the tuning half


def harbour() -> tuple[Question, ...]:
    film, name = HARBOUR, "harbour"
    rabbit, car, ferry = film.shows("bunny"), film.shows("cars", (4.4, 8.6)), film.writes("FERRY")
    return (
        Question("harbour-1", name, "When do we see the rabbit?", "object", "on the meadow", (), rabbit, True),
        Question("harbour-2", name, "Is there a car in this film?", "object", "yes", YES, car, instead=("no",)),
        Question(
            "harbour-3",
            name,
            "At what point does somebody wear sunglasses?",
            "object",
            "the dancer",
            (),
            film.shows("music"),
            True,
        ),
        Question(
            "harbour-4",
            name,
            "Where does the red suitcase stand?",
            "said",
            "in the cellar, behind the piano",
            (("cellar", "piano"),),
            film.says("suitcase"),
        ),
        Question(
            "harbour-5",
            name,
            "Who should I phone if I lose the key?",
            "said",
            "Doctor Lindgren",
            (("lindgren",),),
            film.says("Lindgren"),
        ),
        Question(
            "harbour-6",
            name,
            "When does the afternoon ferry leave?",
            "written",
            "at 14:40",
            (("14:40", "14.40"),),
            ferry,
        ),
        Question(
            "harbour-7",
            name,
            "Which platform does the ferry leave from?",
            "written",
            "platform 6",
            (("6", "six"),),
            ferry,
        ),
        Question(
            "harbour-8",
            name,
            "And which platform does the last train leave from?",
            "unanswerable",
            "only the time of the train is told",
        ),
        Question("harbour-9", name, "When are the ferry times shown?", "when", "on the second card", (), ferry, True),
        Question(
            "harbour-10",
            name,
            "Which comes first, the ferry times or the rabbit?",
            "order",
            "the ferry times",
            (("ferry", "ferry times", "timetable", "sign"),),
            (*ferry, *rabbit),
            instead=("rabbit",),
        ),
        Question(
            "harbour-11",
            name,
            "What is the very first thing that is said?",
            "order",
            "Good evening, my name is Martha, and I look after the old boat house",
            (("martha", "good evening", "boat house", "boathouse"),),
            film.says("Martha"),
        ),
        Question(
            "harbour-12",
            name,
            "What does a night in the boat house cost, and when does the last train leave?",
            "compound",
            "42 euros; at a quarter past nine",
            (("42", "forty two"), ("quarter past nine", "quarter past 9", "9:15", "9.15")),
            (*film.says("euros"), *film.says("train")),
        ),
        Question(
            "harbour-13",
            name,
            "And the bunny, when is it on screen?",
            "follow-up",
            "on the meadow",
            (),
            rabbit,
            True,
            same_as="harbour-1",
        ),
        Question(
            "harbour-14", name, "What is written last?", "order", "The end", (("the end",),), film.writes("The end")
        ),
        Question("harbour-15", name, "What is the name of the ferry?", "unanswerable", "nobody names it"),
        Question("harbour-16", name, "When does a parrot appear?", "unanswerable", "there is none"),
    )


def carpark() -> tuple[Question, ...]:
    film, name = CARPARK, "carpark"
    passes = film.shows("cars", (4.4, 8.6), (14.44, 19.08), (25.2, 27.8))
    tie, fee = film.shows("carphone"), film.writes("Fee")
    return (
        Question("carpark-1", name, "Are there any cars in this film?", "object", "yes", YES, (*passes, *tie),
                 instead=("no",)),
        Question("carpark-2", name, "When is a car seen for the first time?", "order", "a white one", (), passes[:1],
                 True),
        Question("carpark-3", name, "On how many occasions do cars cross the car park?", "count",
                 "on three, once two at a time", (), passes, count=3),
        Question("carpark-4", name, "And when does the red car come through?", "follow-up", "on the second occasion",
                 (), film.shows("cars", (15.0, 19.08)), True),
        Question("carpark-5", name, "Is there a man with a bow tie?", "object", "yes", YES, tie, instead=("no",)),
        Question("carpark-6", name, "When do we see the bow tie?", "object", "on the man in the car", (), tie, True),
        Question("carpark-7", name, "From when to when is somebody wearing a bow tie?", "follow-up",
                 "while the man is in the car", (), tie, True, same_as="carpark-6"),
        Question("carpark-8", name, "How many visitors were there?", "written", "118", (("118",),), fee),
        Question("carpark-9", name, "What does an hour of parking cost?", "written", "2.50 euros", (("2.50", "2,50"),),
                 fee),
        Question("carpark-10", name, "What does a monthly ticket cost?", "unanswerable", "nobody says"),
        Question("carpark-11", name, "At what point is the parking fee shown?", "when", "after the cars", (), fee,
                 True),
        Question("carpark-12", name, "On which day was the barrier repaired?", "said", "on Thursday", (("thursday",),),
                 film.says("barrier")),
        Question("carpark-13", name, "Who broke the barrier?", "unanswerable", "nobody says"),
        Question("carpark-14", name, "Where is the spare key kept?", "said", "in the blue drawer", (("drawer",),),
                 film.says("drawer")),
        Question("carpark-15", name, "What date is the survey from, and when does the night shift begin?", "compound",
                 "Tuesday 14 May; at 22:00", (("14 may", "may 14"), ("22:00", "22.00")),
                 (*film.writes("survey"), *film.writes("Night"))),
        Question("carpark-16", name, "What is written after the man with the bow tie?", "order",
                 "Night shift begins at 22:00", (("night shift", "22:00"),), film.writes("Night")),
        Question("carpark-17", name, "How long is the man with the bow tie on screen?", "order", "14 seconds", (), tie,
                 count=14, tolerance=0.25),
        Question("carpark-18", name, "When does a motorcycle pass?", "unanswerable", "there is none"),
    )  # fmt: skip


def small_things() -> tuple[Question, ...]:
    film, name = SMALL_THINGS, "small-things"
    cat, rocket, launch = film.shows("cat"), film.shows("rocket"), film.writes("Launch")
    pancakes = film.writes("Pancakes")
    return (
        Question("small-1", name, "When does a cat appear?", "object", "twice", (), cat, True),
        Question("small-2", name, "How many times is the cat shown?", "count", "twice", (), cat, count=2),
        Question("small-3", name, "Is there an apple?", "object", "yes", YES, film.shows("apple"), instead=("no",)),
        Question("small-4", name, "When is the rocket on screen?", "object", "before the launch day", (), rocket, True),
        Question("small-5", name, "What is the cat called?", "said", "Pepper", (("pepper",),), film.says("Pepper")),
        Question("small-6", name, "Where does the cat sleep?", "said", "in the laundry basket", (("laundry",),),
                 film.says("laundry")),
        Question("small-7", name, "How old is the cat?", "unanswerable", "nobody says"),
        Question("small-8", name, "How long did the engineers wait for better weather?", "said", "eleven days",
                 (("11", "eleven"),), film.says("eleven")),
        Question("small-9", name, "How many eggs do the pancakes need?", "written", "3", (("3", "three"),), pancakes),
        Question("small-10", name, "What number can I call if I have questions?", "written", "555 0142",
                 (("555 0142", "5550142"),), film.writes("Questions")),
        Question("small-11", name, "When is the pancake recipe on screen?", "when", "after the cat", (), pancakes,
                 True),
        Question("small-12", name, "Does the apple come before the rocket?", "order", "yes", YES,
                 (*film.shows("apple"), *rocket), instead=("no",)),
        Question("small-13", name, "What is written right after the rocket?", "order", "Launch day, 12 October, pad 4",
                 (("launch day", "12 october", "pad 4"),), launch),
        Question("small-14", name, "When is the cat seen for the last time?", "order", "near the end", (), cat[-1:],
                 True),
        Question("small-15", name, "How much flour do I need, and on what date is the launch?", "compound",
                 "200 g; 12 October", (("200",), ("12 october", "october 12")), (*pancakes, *launch)),
        Question("small-16", name, "At which moments can you see a cat?", "follow-up", "twice", (), cat, True,
                 same_as="small-1"),
        Question("small-17", name, "And a dog?", "unanswerable", "there is none"),
        Question("small-18", name, "How tall is the rocket?", "unanswerable", "nobody says"),
    )  # fmt: skip


def evening() -> tuple[Question, ...]:
    film, name = EVENING, "evening"
    bar, meadow, tickets, tour = film.shows("music"), film.shows("bunny"), film.writes("Tickets"), film.writes("tour")
    return (
        Question("evening-1", name, "When does a flower fill the picture?", "object", "near the end", (),
                 film.shows("flower"), True),
        Question("evening-2", name, "Is there a potted plant anywhere?", "object", "yes", YES, film.shows("plant"),
                 instead=("no",)),
        Question("evening-3", name, "When are we in a bar?", "place", "after the museum", (), bar, True),
        Question("evening-4", name, "When do we see a meadow?", "place", "with the rabbit", (), meadow, True),
        Question("evening-5", name, "Where does the man with the bow tie sit?", "place", "in a car",
                 (("car", "vehicle"),), film.shows("carphone")),
        Question("evening-6", name, "Which soup is there tonight?", "said", "pumpkin with ginger", (("pumpkin",),),
                 film.says("soup")),
        Question("evening-7", name, "And what does the soup cost?", "unanswerable", "nobody says"),
        Question("evening-8", name, "Until when is the bridge closed?", "said", "until Friday", (("friday",),),
                 film.says("bridge")),
        Question("evening-9", name, "How much is a ticket for the museum?", "written", "14 euros", (("14",),), tickets),
        Question("evening-10", name, "Who gives the guided tour?", "written", "Frida", (("frida",),), tour),
        Question("evening-11", name, "When does the price of the tickets appear?", "when", "at the beginning", (),
                 tickets, True),
        Question("evening-12", name, "What is said between the museum card and the guided tour card?", "order",
                 "that the soup is pumpkin with ginger; please pay at the door",
                 (("pumpkin", "soup", "pay at the door"),), (*film.says("soup"), *film.says("pay"))),
        Question("evening-13", name, "Is the rabbit seen before the bar?", "order", "no, after it", NO, (*bar, *meadow),
                 instead=("yes",)),
        Question("evening-14", name, "What is the first thing that is written?", "order", "Museum of Clouds",
                 (("museum",),), tickets),
        Question("evening-15", name, "When does the guided tour start, and what do children pay?", "compound",
                 "at 11:20; nothing", (("11:20", "11.20"), ("free", "nothing")), (*tickets, *tour)),
        Question("evening-16", name, "What do I pay to get into the museum?", "follow-up", "14 euros", (("14",),),
                 tickets, same_as="evening-9"),
        Question("evening-17", name, "On which day is the museum closed?", "unanswerable", "nobody says"),
        Question("evening-18", name, "When is a bicycle seen?", "unanswerable", "there is none"),
    )  # fmt: skip


# ---------------------------------------------------------------------- the reported half


def street() -> tuple[Question, ...]:
    film, name = STREET, "street"
    bicycle, taxi, city = film.shows("bikes", (3.04, 10.0)), film.shows("bikes", (1.9, 3.04)), film.shows("city")
    motorcycle, hire = film.shows("motorcycle"), film.writes("CYCLE HIRE")
    return (
        Question("street-1", name, "When do you see a bicycle?", "object", "a rider, then parked ones", (), bicycle,
                 True),
        Question("street-2", name, "Is a motorcycle shown?", "object", "yes", YES,
                 (*film.shows("bikes", (4.1, 5.48)), *motorcycle), instead=("no",)),
        Question("street-3", name, "When does the taxi come by?", "object", "before the cyclist", (), taxi, True),
        Question("street-4", name, "And when does a fire engine come by?", "unanswerable", "none does"),
        Question("street-5", name, "When are skyscrapers shown?", "place", "at night, near the end", (), city, True),
        Question("street-6", name, "What does a new chain cost?", "said", "nineteen euros", (("19", "nineteen"),),
                 film.says("chain")),
        Question("street-7", name, "Which floor does the elevator stop at?", "said", "floor thirty six",
                 (("36", "thirty six"),), film.says("elevator")),
        Question("street-8", name, "What does it cost to hire a cycle for a day?", "written", "12 euros",
                 (("12", "twelve"),), hire),
        Question("street-9", name, "What are you asked to bring?", "written", "a helmet", (("helmet",),), hire),
        Question("street-10", name, "When is the cycle hire sign on screen?", "when", "after the street", (), hire,
                 True),
        Question("street-11", name, "Do the skyscrapers come before the taxi?", "order", "no, after it", NO,
                 (*taxi, *city), instead=("yes",)),
        Question("street-12", name, "What is said after the cycle hire sign?", "order",
                 "that the elevator stops at floor thirty six, and that the office moves to Lisbon in August",
                 (("elevator", "floor", "lisbon"),), (*film.says("elevator"), *film.says("Lisbon"))),
        Question("street-13", name, "Which is shown last, the motorcycle or the skyscrapers?", "order",
                 "the skyscrapers", (("skyscrapers", "skyscraper"),), (*motorcycle, *city),
                 instead=("motorcycle",)),
        Question("street-14", name, "Who paints the frames, and where does the office move in August?", "compound",
                 "Wanda, the sister of Tomas; to Lisbon", (("wanda",), ("lisbon",)),
                 (*film.says("Wanda"), *film.says("Lisbon"))),
        Question("street-15", name, "At which moments is there a bike?", "follow-up", "a rider, then parked ones", (),
                 bicycle, True, same_as="street-1"),
        Question("street-16", name, "How old is Tomas?", "unanswerable", "nobody says"),
        Question("street-17", name, "When does a rabbit hop past?", "unanswerable", "none does"),
    )  # fmt: skip


def bottling() -> tuple[Question, ...]:
    film, name = BOTTLING, "bottling"
    bottles, coffee, result = film.shows("bottles"), film.shows("coffee"), film.writes("Result")
    return (
        Question("bottling-1", name, "When are there bottles on the table?", "object", "at the beginning", (), bottles,
                 True),
        Question("bottling-2", name, "When do we see a cup of coffee?", "object", "after the result", (), coffee, True),
        Question("bottling-3", name, "And a glass of beer?", "unanswerable", "there is none"),
        Question("bottling-4", name, "How often is each bottle rinsed?", "said", "twice", (("twice", "two times"),),
                 film.says("rinsed")),
        Question("bottling-5", name, "What does the red lamp mean?", "said", "that the belt must stop",
                 (("belt", "stop"),), film.says("lamp")),
        Question("bottling-6", name, "Where is the sugar?", "said", "in the tin behind the kettle",
                 (("tin", "kettle"),), film.says("Sugar")),
        Question("bottling-7", name, "How many bottles were rejected?", "written", "3", (("3", "three"),), result),
        Question("bottling-8", name, "Who was the inspector?", "written", "K. Aldana", (("aldana",),), result),
        Question("bottling-9", name, "Why were the bottles rejected?", "unanswerable", "nobody says"),
        Question("bottling-10", name, "When does the result of the inspection come up?", "when", "after the bottles",
                 (), result, True),
        Question("bottling-11", name, "What comes first, the coffee or the result of the inspection?", "order",
                 "the result", (("result", "inspection"),), (*result, *coffee), instead=("coffee",)),
        Question("bottling-12", name, "What is written at the very end?", "order", "Shift ends at 18:45",
                 (("18:45", "18.45", "shift ends"),), film.writes("Shift")),
        Question("bottling-13", name, "How long is the coffee on screen?", "order", "14 seconds", (), coffee,
                 count=14, tolerance=0.25),
        Question("bottling-14", name, "How many times is the cup of coffee shown?", "count", "once", (), coffee,
                 count=1),
        Question("bottling-15", name, "When was the inspection, and when does the shift end?", "compound",
                 "on 9 March; at 18:45", (("9 march", "march 9"), ("18:45", "18.45")),
                 (*film.writes("Inspection 9"), *film.writes("Shift"))),
        Question("bottling-16", name, "During which part of the film can bottles be seen?", "follow-up",
                 "at the beginning", (), bottles, True, same_as="bottling-1"),
        Question("bottling-17", name, "Who should be called if the pump is loud?", "said", "Benedict", (("benedict",),),
                 film.says("Benedict")),
        Question("bottling-18", name, "What does the coffee cost?", "unanswerable", "nobody says"),
        Question("bottling-19", name, "When does an astronaut appear?", "unanswerable", "there is none"),
    )  # fmt: skip


def parrot() -> tuple[Question, ...]:
    film, name = PARROT, "parrot"
    bird, clock, cat = film.shows("cockatoo"), film.shows("clock", (0.0, 3.1)), film.shows("clock", (3.25, 4.9))
    shelter, scarf = film.writes("SHELTER"), film.writes("scarf")
    return (
        Question("parrot-1", name, "When does the parrot appear?", "object", "twice", (), bird, True),
        Question("parrot-2", name, "How many times do we see the parrot?", "count", "twice", (), bird, count=2),
        Question("parrot-3", name, "When can a cat be seen?", "object", "after the clock", (), cat, True),
        Question("parrot-4", name, "Is there a clock in the film?", "object", "yes", YES, clock, instead=("no",)),
        Question("parrot-5", name, "What time does the clock show?", "written", "5:40", (("5:40", "5.40", "540"),),
                 clock),
        Question("parrot-6", name, "Where does the parrot come from?", "said", "from Portugal", (("portugal",),),
                 film.says("Portugal")),
        Question("parrot-7", name, "What does the parrot hate?", "said", "thunder", (("thunder",),),
                 film.says("thunder")),
        Question("parrot-8", name, "And what does the cat hate?", "unanswerable", "nobody says"),
        Question("parrot-9", name, "At what time are the birds fed?", "written", "at 10:45", (("10:45", "10.45"),),
                 shelter),
        Question("parrot-10", name, "How much money was donated?", "written", "6,300 euros", (("6300", "6.300"),),
                 shelter),
        Question("parrot-11", name, "When is the green scarf mentioned?", "when", "on the card of lost things", (),
                 scarf, True),
        Question("parrot-12", name, "When is the parrot seen for the second time?", "order", "near the end", (),
                 bird[-1:], True),
        Question("parrot-13", name, "Is the cat shown before the clock?", "order", "no, after it", NO, (*clock, *cat),
                 instead=("yes",)),
        Question("parrot-14", name, "What is said between the lost and found card and the goodbye?", "order",
                 "that the shelter needs blankets; ask for Mrs Okafor at the gate",
                 (("blankets", "blanket", "okafor", "gate"),), (*film.says("blankets"), *film.says("Okafor"))),
        Question("parrot-15", name, "What does the parrot eat, and who should I ask for at the gate?", "compound",
                 "walnuts; Mrs Okafor", (("walnuts", "walnut"), ("okafor",)),
                 (*film.says("walnuts"), *film.says("Okafor"))),
        Question("parrot-16", name, "Can you tell me at which times the bird is visible?", "follow-up", "twice", (),
                 bird, True, same_as="parrot-1"),
        Question("parrot-17", name, "How old is the parrot?", "unanswerable", "nobody says"),
        Question("parrot-18", name, "When does a train arrive?", "unanswerable", "none does"),
    )  # fmt: skip


def journey() -> tuple[Question, ...]:
    film, name = JOURNEY, "journey"
    astronaut, temple, hotel, train = (
        film.shows("astronaut"), film.shows("temple"), film.writes("Hotel"), film.writes("Oslo")
    )  # fmt: skip
    return (
        Question("journey-1", name, "When is an astronaut shown?", "object", "after the hotel", (), astronaut, True),
        Question("journey-2", name, "Is there somebody with a camera?", "object", "yes", YES, film.shows("camera"),
                 instead=("no",)),
        Question("journey-3", name, "When do we see a temple?", "place", "at the beginning", (), temple, True),
        Question("journey-4", name, "When is there a street with cars?", "place", "near the end", (),
                 film.shows("bikes"), True),
        Question("journey-5", name, "How many steps did they climb?", "said", "two hundred and ten",
                 (("210", "two hundred and ten", "200 and 10", "two hundred and 10"),), film.says("steps")),
        Question("journey-6", name, "What did the guide lose?", "said", "his umbrella", (("umbrella",),),
                 film.says("umbrella")),
        Question("journey-7", name, "What is the guide's name?", "unanswerable", "nobody says"),
        Question("journey-8", name, "What is the room number at the hotel?", "written", "27", (("27",),), hotel),
        Question("journey-9", name, "Until when is breakfast served?", "written", "until 10:30", (("10:30", "10.30"),),
                 hotel),
        Question("journey-10", name, "When is the train to Oslo mentioned on screen?", "when", "before the coins", (),
                 train, True),
        Question("journey-11", name, "And the train back, when does it leave?", "unanswerable", "nobody says"),
        Question("journey-12", name, "Which comes first, the astronaut or the temple?", "order", "the temple",
                 (("temple",),), (*temple, *astronaut), instead=("astronaut",)),
        Question("journey-13", name, "What is said between the hotel and the train?", "order",
                 "that the grandfather bought the camera in 1962 and photographed only horses",
                 (("grandfather", "camera", "horses"),), (*film.says("grandfather"), *film.says("horses"))),
        Question("journey-14", name, "What is written at the very beginning?", "order", "Postcards from a journey",
                 (("postcards", "journey"),), film.writes("Postcards")),
        Question("journey-15", name, "When does the train leave, and which seat is it?", "compound", "at 16:05; 41",
                 (("16:05", "16.05"), ("41",)), train),
        Question("journey-16", name, "From when to when is the astronaut in the picture?", "follow-up",
                 "after the hotel", (), astronaut, True, same_as="journey-1"),
        Question("journey-17", name, "What does a night at the hotel cost?", "unanswerable", "nobody says"),
        Question("journey-18", name, "When is a bottle on a table?", "unanswerable", "there is none"),
    )  # fmt: skip

"""A hundred more questions of the reported films, and what is true.

They were written later than those of `quality_questions.py`, from the films, their scripts and their spoken sentences
alone, by somebody who never saw an answer of the tool, so that the reported half is large enough to measure
calibration. The questions of a film stand in the order in which they are asked, after the first ones of that half.
"""

from __future__ import annotations

from quality_films import BOTTLING, JOURNEY, PARROT, STREET
from quality_questions import YES, Question, questions


def all_questions() -> tuple[Question, ...]:
    """Return the first questions, then those written later."""
    return questions() + reported_more()


def reported_more() -> tuple[Question, ...]:
    """Return the questions written later, film by film."""
    return street_more() + bottling_more() + parrot_more() + journey_more()


def street_more() -> tuple[Question, ...]:
    film, name = STREET, "street"
    tie, taxi = film.shows("bikes", (1.17, 1.9)), film.shows("bikes", (1.9, 3.04))
    helmet = film.shows("bikes", (3.04, 5.48))  # passing cars hide the rider for some of it
    garage, market = film.shows("motorcycle"), film.writes("market")
    return (
        Question("street-more-1", name, "When is a man wearing a tie on screen?", "object", "before the taxi", (), tie,
                 True),
        Question("street-more-2", name, "And one wearing a helmet?", "follow-up", "after the taxi, on a bicycle", (),
                 helmet, True),
        Question("street-more-3", name, "Where does Tomas repair bicycles?", "said", "near the cathedral",
                 (("cathedral",),), film.says("cathedral")),
        Question("street-more-4", name, "When are there cars in the picture?", "object",
                 "from the red one beside the bus to those behind the fence", (), film.shows("bikes", (0.2, 7.5)),
                 True),
        Question("street-more-5", name, "What title does the film open with?", "written", "City diary",
                 (("city diary",),), film.writes("diary")),
        Question("street-more-6", name, "When does a dog cross the street?", "unanswerable", "none does"),
        Question("street-more-7", name, "When are we in a garage?", "place", "with the motorcycle", (), garage, True),
        Question("street-more-8", name, "What does a bicycle helmet cost?", "unanswerable", "nobody says"),
        Question("street-more-9", name, "When does somebody speak of Lisbon?", "when", "over the skyscrapers", (),
                 film.says("Lisbon"), True),
        Question("street-more-10", name, "What is the last thing that anybody says?", "order",
                 "The office moves to Lisbon in August", (("lisbon", "office", "august"),), film.says("Lisbon")),
        Question("street-more-11", name, "Are any cardboard boxes to be seen?", "object", "yes, in the garage", YES,
                 garage, instead=("no",)),
        Question("street-more-12", name, "Which part of a bicycle costs nineteen euros?", "said", "a new chain",
                 (("chain",),), film.says("chain")),
        Question("street-more-13", name, "Do we see the man with the tie before the taxi?", "order", "yes", YES,
                 (*tie, *taxi), instead=("no",)),
        Question("street-more-14", name, "When do we see a fountain?", "unanswerable", "there is none"),
        Question("street-more-15", name, "According to the last card, what comes next?", "written", "the market",
                 (("market",),), market),
        Question("street-more-16", name, "When does the market open?", "unanswerable", "nobody says"),
        Question("street-more-17", name, "How many times does a taxi drive past?", "count", "once", (), taxi, count=1),
        Question("street-more-18", name, "When do we look down a street lined with houses?", "place",
                 "behind the fence", (), film.shows("bikes", (5.48, 7.5)), True),
        Question("street-more-19", name, "In which month does the office move, and what is the sister of Tomas called?",
                 "compound", "in August; Wanda", (("august",), ("wanda",)),
                 (*film.says("August"), *film.says("Wanda"))),
        Question("street-more-20", name, "And what does his sister paint?", "follow-up", "the frames",
                 (("frames", "frame"),), film.says("Wanda")),
        Question("street-more-21", name, "What is shown right after the cycle hire sign?", "order",
                 "a motorcycle in a garage", (("motorcycle", "motorbike", "bike", "garage"),), garage),
        Question("street-more-22", name, "Which page of the diary is this?", "written", "page one",
                 (("one", "1", "first"),), film.writes("page")),
        Question("street-more-23", name, "What stops at floor thirty six?", "said", "the elevator",
                 (("elevator", "lift"),), film.says("elevator")),
        Question("street-more-24", name, "When does an aeroplane fly by?", "unanswerable", "none does"),
        Question("street-more-25", name, "When is the market announced on screen?", "when", "at the end", (), market,
                 True),
    )  # fmt: skip


def bottling_more() -> tuple[Question, ...]:
    film, name = BOTTLING, "bottling"
    coffee, result, shift = film.shows("coffee"), film.writes("Result"), film.writes("Shift")
    hands = film.shows("bottles", (5.77, 7.16), (11.24, 13.53), (15.82, 17.91), (22.09, 24.58), (27.26, 29.15),
                       (30.85, 32.14), (34.83, 36.82))  # fmt: skip
    return (
        Question("bottling-more-1", name, "Can a hand be seen at any point?", "object", "yes, it moves the bottles",
                 YES, hands, instead=("no",)),
        Question("bottling-more-2", name, "And when does a hand first come into the picture?", "follow-up",
                 "when it takes the first bottle", (), hands[:1], True),
        Question("bottling-more-3", name, "When is the last time that a hand is in the picture?", "order",
                 "shortly before the result", (), hands[-1:], True),
        Question("bottling-more-4", name, "How long is the coffee break?", "said", "fifteen minutes",
                 (("15", "fifteen"),), film.says("break")),
        Question("bottling-more-5", name, "When is a kettle in the picture?", "unanswerable", "there is none"),
        Question("bottling-more-6", name, "Which bottle line is this about?", "written", "line 2", (("2", "two"),),
                 film.writes("Bottle line")),
        Question("bottling-more-7", name, "When do we hear about the red lamp?", "when", "over the bottles", (),
                 film.says("lamp"), True),
        Question("bottling-more-8", name, "When does the shift begin?", "unanswerable", "only its end is told"),
        Question("bottling-more-9", name, "When is a spoon in the picture?", "object", "beside the cup", (), coffee,
                 True),
        Question("bottling-more-10", name, "And the saucer?", "follow-up", "under the cup", (), coffee, True),
        Question("bottling-more-11", name, "What gets rinsed twice?", "said", "every bottle", (("bottle", "bottles"),),
                 film.says("rinsed")),
        Question("bottling-more-12", name, "Which sentence is spoken first?", "order", "Every bottle is rinsed twice",
                 (("rinsed", "twice"),), film.says("rinsed")),
        Question("bottling-more-13", name, "What is K. Aldana's job?", "written", "inspector",
                 (("inspector", "inspects"),), result),
        Question("bottling-more-14", name, "When does a forklift drive past?", "unanswerable", "none does"),
        Question("bottling-more-15", name, "When do we see a wooden table?", "place", "under the cup", (), coffee,
                 True),
        Question("bottling-more-16", name, "How often is sugar mentioned?", "count", "once", (), film.says("Sugar"),
                 count=1),
        Question("bottling-more-17", name, "What is said after the result of the inspection?", "order",
                 "that the coffee break lasts fifteen minutes, and that sugar is in the tin behind the kettle",
                 (("break", "fifteen", "15", "sugar", "tin", "kettle"),),
                 (*film.says("break"), *film.says("Sugar"))),
        Question("bottling-more-18", name, "What is Benedict's telephone number?", "unanswerable", "nobody says"),
        Question("bottling-more-19", name, "In which case am I to call Benedict?", "said", "if the pump is loud",
                 (("pump", "loud"),), film.says("Benedict")),
        Question("bottling-more-20", name, "When can bottle caps be seen?", "object", "on the bottles", (),
                 film.shows("bottles"), True),
        Question("bottling-more-21", name, "When is the end of the shift written on the screen?", "when", "at the end",
                 (), shift, True),
        Question("bottling-more-22", name, "What is in the tin behind the kettle, and what took place on 9 March?",
                 "compound", "sugar; the inspection", (("sugar",), ("inspection", "inspected")),
                 (*film.says("Sugar"), *film.writes("Inspection 9"))),
        Question("bottling-more-23", name, "What is written between the bottles and the coffee?", "order",
                 "Result: 3 rejected; inspector: K. Aldana", (("result", "rejected", "aldana"),), result),
        Question("bottling-more-24", name, "When do we see a conveyor belt?", "unanswerable", "there is none"),
        Question("bottling-more-25", name, "What ends at 18:45?", "written", "the shift", (("shift",),), shift),
    )  # fmt: skip


def parrot_more() -> tuple[Question, ...]:
    film, name = PARROT, "parrot"
    bird, clock, cat = film.shows("cockatoo"), film.shows("clock", (0.0, 3.1)), film.shows("clock", (3.25, 4.9))
    shelter, scarf, goodbye = film.writes("SHELTER"), film.writes("scarf"), film.writes("Goodbye")
    return (
        Question("parrot-more-1", name, "When is the feeding time shown on screen?", "when", "at the beginning", (),
                 shelter, True),
        Question("parrot-more-2", name, "And the goodbye?", "follow-up", "at the end", (), goodbye, True),
        Question("parrot-more-3", name, "When is the clock on screen?", "object", "before the cat", (), clock, True),
        Question("parrot-more-4", name, "What is the parrot called?", "unanswerable", "nobody says"),
        Question("parrot-more-5", name, "What does the shelter need?", "said", "new blankets",
                 (("blankets", "blanket"),), film.says("blankets")),
        Question("parrot-more-6", name, "And before which season?", "follow-up", "before winter", (("winter",),),
                 film.says("blankets")),
        Question("parrot-more-7", name, "Is any animal shown other than the parrot?", "object", "yes, a cat", YES, cat,
                 instead=("no",)),
        Question("parrot-more-8", name, "What sort of shelter is this?", "written", "a bird shelter",
                 (("bird", "birds"),), shelter),
        Question("parrot-more-9", name, "When do we see a wooden crate?", "unanswerable", "there is none"),
        Question("parrot-more-10", name, "Which comes first, the cat or the lost and found card?", "order", "the cat",
                 (("cat",),), (*cat, *scarf), instead=("lost and found", "scarf", "card")),
        Question("parrot-more-11", name, "When is Portugal mentioned?", "when", "over the first parrot", (),
                 film.says("Portugal"), True),
        Question("parrot-more-12", name, "What happens at 10:45?", "written", "the feeding",
                 (("feeding", "feed", "fed"),), shelter),
        Question("parrot-more-13", name, "When can you see windows in the background?", "place", "behind the parrot",
                 (), bird, True),
        Question("parrot-more-14", name, "When does a woman in a white coat appear?", "unanswerable", "none does"),
        Question("parrot-more-15", name, "What was the crate made of?", "said", "wood", (("wood", "wooden"),),
                 film.says("crate")),
        Question("parrot-more-16", name, "How often does the cat turn up?", "count", "once", (), cat, count=1),
        Question("parrot-more-17", name, "What is written before the parrot shows up?", "order",
                 "Bird shelter; feeding at 10:45; donations: 6,300 euros",
                 (("shelter", "feeding", "donations", "donation"),), shelter),
        Question("parrot-more-18", name, "Who lost the green scarf?", "unanswerable", "nobody says"),
        Question("parrot-more-19", name, "When is a piece of checked cloth in the picture?", "object", "beside the cat",
                 (), cat, True),
        Question("parrot-more-20", name, "Where should one ask for Mrs Okafor?", "said", "at the gate", (("gate",),),
                 film.says("Okafor")),
        Question("parrot-more-21", name, "Is the parrot shown again after the cat?", "order", "yes", YES,
                 (*cat, *bird[-1:]), instead=("no",)),
        Question("parrot-more-22", name, "What did the parrot come in, and what is in the lost and found?", "compound",
                 "in a wooden crate; one green scarf", (("crate",), ("scarf",)), (*film.says("crate"), *scarf)),
        Question("parrot-more-23", name, "When is a fish tank in view?", "unanswerable", "there is none"),
        Question("parrot-more-24", name, "Which day is named at the goodbye?", "written", "Sunday", (("sunday",),),
                 goodbye),
        Question("parrot-more-25", name, "What is said last of all?", "order", "Ask for Mrs Okafor at the gate",
                 (("okafor", "gate"),), film.says("Okafor")),
    )  # fmt: skip


def journey_more() -> tuple[Question, ...]:
    film, name = JOURNEY, "journey"
    temple, astronaut, camera, coins = (
        film.shows("temple"), film.shows("astronaut"), film.shows("camera"), film.shows("coins")
    )  # fmt: skip
    hotel, train = film.writes("Hotel"), film.writes("Oslo")
    return (
        Question("journey-more-1", name, "What is the hotel called?", "written", "Miramar", (("miramar",),), hotel),
        Question("journey-more-2", name, "When is a swimming pool shown?", "unanswerable", "there is none"),
        Question("journey-more-3", name, "Is a flag shown?", "object", "yes, beside the astronaut", YES, astronaut,
                 instead=("no",)),
        Question("journey-more-4", name, "When do we see a lake?", "place", "behind the temple", (), temple, True),
        Question("journey-more-5", name, "What did the grandfather take pictures of?", "said", "horses",
                 (("horses", "horse"),), film.says("horses")),
        Question("journey-more-6", name, "What was the grandfather called?", "unanswerable", "nobody says"),
        Question("journey-more-7", name, "When can a tripod be seen?", "object", "under the camera", (), camera, True),
        Question("journey-more-8", name, "And the coins?", "follow-up", "after the train to Oslo", (), coins, True),
        Question("journey-more-9", name, "Which meal is served until 10:30?", "written", "breakfast",
                 (("breakfast",),), hotel),
        Question("journey-more-10", name, "Which is shown later, the coins or the astronaut?", "order", "the coins",
                 (("coins", "coin"),), (*astronaut, *coins), instead=("astronaut",)),
        Question("journey-more-11", name, "When does somebody mention horses?", "when", "over the man with the camera",
                 (), film.says("horses"), True),
        Question("journey-more-12", name, "When is an umbrella in the picture?", "unanswerable", "there is none"),
        Question("journey-more-13", name, "Who lost an umbrella?", "said", "the guide", (("guide",),),
                 film.says("umbrella")),
        Question("journey-more-14", name, "When is a space shuttle in the picture?", "object",
                 "a model behind the astronaut", (), astronaut, True),
        Question("journey-more-15", name, "What is said before the hotel card?", "order",
                 "that they climbed two hundred and ten steps to the temple, and that the guide lost his umbrella",
                 (("steps", "temple", "umbrella"),), (*film.says("steps"), *film.says("umbrella"))),
        Question("journey-more-16", name, "Who bought the camera, and in which year?", "compound",
                 "the grandfather; in 1962", (("grandfather",), ("1962", "nineteen sixty two", "19 62")),
                 film.says("grandfather")),
        Question("journey-more-17", name, "What does the number 41 stand for?", "written", "the seat", (("seat",),),
                 train),
        Question("journey-more-18", name, "And where does the train go?", "follow-up", "to Oslo", (("oslo",),), train),
        Question("journey-more-19", name, "What does the train ticket cost?", "unanswerable", "nobody says"),
        Question("journey-more-20", name, "How often is a temple shown?", "count", "once", (), temple, count=1),
        Question("journey-more-21", name, "When is a bicycle in the picture?", "object", "at the fence by the street",
                 (), film.shows("bikes"), True),
        Question("journey-more-22", name, "When is the name of the hotel on the screen?", "when", "after the temple",
                 (), hotel, True),
        Question("journey-more-23", name, "What did the steps lead up to?", "said", "the temple", (("temple",),),
                 film.says("steps")),
        Question("journey-more-24", name, "When do we see a mountain covered in snow?", "unanswerable",
                 "there is none"),
        Question("journey-more-25", name, "What is written on the last card?", "order", "To be continued",
                 (("continued",),), film.writes("continued")),
    )  # fmt: skip

"""English words that may stand for one another: strictly, in any question; and loosely, where evidence is read."""

from __future__ import annotations

# nothing narrower or wider, nothing with a second sense
STRICT = """
car, automobile, auto, motorcar | bike, bicycle, pushbike | motorbike, motorcycle | truck, lorry | taxi, cab, taxicab
plane, airplane, aeroplane | tram, streetcar | fire truck, fire engine | tyre, tire
petrol station, gas station, filling station | traffic light, stoplight, traffic signal | railway, railroad
zebra crossing, crosswalk | crossroads, intersection | sidewalk, footpath | phone, telephone
mobile phone, cell phone, cellphone | tv, television, telly, tv set, television set | fridge, refrigerator
sofa, couch, settee | microphone, mic | photo, photograph | trash can, garbage can, rubbish bin, dustbin, waste bin
garbage, trash, rubbish | backpack, rucksack, knapsack | luggage, baggage | curtain, drape | tap, faucet
stairs, staircase, stairway | bathtub, bath tub | t shirt, tshirt, tee shirt | sweater, pullover | trousers, pants
jewellery, jewelry | parcel, package | shop, store | sea, ocean | forest, woods | eyeglasses, spectacles
man, guy, bloke, gentleman, fellow | woman, lady | child, kid | baby, infant | police officer, policeman, cop
person, someone, somebody, anyone, anybody, human | firefighter, fireman | doctor, physician | rabbit, bunny
cyclist, bicyclist, bike rider | biker, motorcyclist | cow, cattle | aubergine, eggplant | grey, gray | blond, blonde
big, large | small, little | old, elderly | fast, quick, quickly | start, begin, beginning | end, ending
talk, speak | jump, leap | shut, close | hug, embrace | cry, weep | shout, yell
enter, go into, come into, walk into | exit, go out of, walk out of | sit down, take seat | take photo, take picture
drive past, drive by | pass, pass by, go by, go past | turn on, switch on | turn off, switch off | put on, don
under, beneath, underneath | beside, next to, alongside | near, close to, nearby | in, inside, within
on, onto, on top of | with, have, have got | toward, towards | wear, dress~ in, clothe~ in
"""
# near enough that a sentence with the one may answer a question with the other
LOOSE = """
cost, price, fee, charge, fare, pay, paid, payment, admission | leave, depart, departure, go | arrive, arrival
phone, telephone, call, ring | buy, purchase
keep, kept, hang, lie, lies, put, stand, store, stay, find, found
repair, mend, fix | show, exhibition | tour, walk | job, work
ticket, admission | shut, close | doctor, dr | street, road | photo, picture, photograph | bring, take | need, require
hour, hours, opening | film, movie | begin, start, open | finish, end | kid, child, children | grown-up, adult, adults
house, building | mum, mother | dad, father | key, keys | room, hall | teacher, instructor | town, city | meal, food
"""


def read_groups(text: str) -> list[list[str]]:
    """Return the groups of names.

    >>> read_groups("bike, bicycle | tap, faucet")
    [['bike', 'bicycle'], ['tap', 'faucet']]
    """
    groups = [group for line in text.strip().splitlines() for group in line.split("|")]
    return [[name.strip() for name in group.split(",")] for group in groups]

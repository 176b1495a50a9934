"""What a post says: the row of ``pinterest_data``, its stories and its sentinels (data contract, section 1)."""

from collections.abc import Iterator
from random import Random
from typing import NamedTuple

from sandbox.data.source import words
from sandbox.data.source.posters import Poster
from sandbox.data.source.schema import Row
from sandbox.data.source.shuffling import pick

IMAGE, VIDEO, STORY = "image", "video", "multi-video(story page format)"
NO_TITLE = "No Title Data Available"
NO_DESCRIPTION = "No description available"
NO_STORY_DESCRIPTION = "No description available Story format"
NO_USER = "User Info Error"
NO_TAGS = "N,o, ,T,a,g,s, ,A,v,a,i,l,a,b,l,e"
NO_IMAGE = "Image src error."
LONGEST_DESCRIPTION = 180
CUT = "…\u00a0"


class Kind(NamedTuple):
    """Of which form a post is and which of its columns say that there is no data."""

    form: str
    no_image: bool = False
    nothing: bool = False


PLAIN_IMAGE, PLAIN_VIDEO = Kind(IMAGE), Kind(VIDEO)
STORY_KINDS = ((0.74, Kind(STORY)), (0.89, Kind(STORY, no_image=True)), (1.0, Kind(STORY, True, True)))


class Vocabulary(NamedTuple):
    """A category with its words, made ready once."""

    category: str
    things: tuple[str, ...]
    save_location: str


VOCABULARIES = {
    category: Vocabulary(category, words.THINGS[category], f"Local save in /data/{category}")
    for category in words.CATEGORY_ROWS
}


def categories(rows: int) -> Iterator[Vocabulary]:
    """Yield the category of each post in turn: contiguous alphabetical blocks, in proportion to the original's."""
    total = sum(words.CATEGORY_ROWS.values())
    passed = made = 0
    for category, share in words.CATEGORY_ROWS.items():
        passed += share
        block_ends = (passed * rows * 2 + total) // (2 * total)
        for _ in range(block_ends - made):
            yield VOCABULARIES[category]
        made = block_ends


def kind_of_post(random: Random) -> Kind:
    """Draw a kind: 91.5 % images, 2.9 % videos, 5.6 % stories, of which 15 % lack the image and 11 % everything."""
    draw = random.random()
    if draw < 0.915:
        return PLAIN_IMAGE
    if draw < 0.944:
        return PLAIN_VIDEO
    part = random.random()
    return next(kind for below, kind in STORY_KINDS if part < below)


def pin_row(random: Random, post: int, vocabulary: Vocabulary, poster: Poster) -> Row:
    kind = kind_of_post(random)
    thing, flourish = pick(random, vocabulary.things), flourish_or_none(random)
    described = description(random, thing, flourish, kind.form)
    titled = title(random, thing, flourish)
    tagged = tags(random, vocabulary.things)
    counts = poster.follower_counts
    count = counts[0] if len(counts) == 1 else pick(random, counts)
    return (
        post,
        uuid4(random),
        NO_TITLE if kind.nothing else titled,
        described,
        NO_USER if kind.nothing else poster.name,
        NO_USER if kind.nothing or random.random() < 0.0015 else count,
        NO_TAGS if kind.nothing or random.random() < 0.0028 else tagged,
        kind.form,
        NO_IMAGE if kind.no_image else image_address(random, kind.form),
        0 if kind.no_image else 1,
        vocabulary.save_location,
        vocabulary.category,
    )


def uuid4(random: Random) -> str:
    bits = random.getrandbits(128) & ~(0xF << 76) & ~(0x3 << 62) | 0x4 << 76 | 0x2 << 62
    text = f"{bits:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def flourish_or_none(random: Random) -> str | None:
    """Draw an emoji or a few words in another script for half of the posts."""
    return pick(random, words.FLOURISHES) if random.random() < 0.5 else None


def title(random: Random, thing: str, flourish: str | None) -> str:
    draw = random.random()
    if draw < 0.002:
        return "Untitled" if draw < 0.001 else ""
    manner, promise = pick(random, words.MANNERS), pick(random, words.PROMISES)
    text = f"{pick(random, words.NUMBERS)} {manner} {thing} Ideas" if draw < 0.4 else f"{manner} {thing} {promise}"
    if draw > 0.95:
        text = f'"{thing}" | {text}'
    return f"{text} {flourish}" if flourish and draw < 0.7 else text


def description(random: Random, thing: str, flourish: str | None, form: str) -> str:
    draw = random.random()
    if form == STORY:
        return NO_STORY_DESCRIPTION
    if draw < 0.0165:  # 1.4 % of all posts say so, and a few say nothing at all
        return NO_DESCRIPTION if draw < 0.015 else pick(random, ("", " ", "\n"))
    separator = pick(random, words.SEPARATORS)
    manner = pick(random, words.MANNERS).lower()
    text = (
        f"{pick(random, words.OPENERS)} the {manner} {thing.lower()}: {pick(random, words.MIDDLES)}."
        f"{separator}{flourish or thing} {pick(random, words.ENDINGS)}"
    )
    if draw > 0.6:
        text = f"{text}{separator}{pick(random, words.MIDDLES)}, {pick(random, words.ENDINGS)}"
    return text if len(text) <= LONGEST_DESCRIPTION else text[: LONGEST_DESCRIPTION - len(CUT)] + CUT


def tags(random: Random, things: tuple[str, ...]) -> str:
    """Return nine different tags, rarely eight."""
    manner, thing = int(random.random() * len(words.MANNERS)), int(random.random() * len(things))
    number = 8 if random.random() < 0.03 else 9
    manners, wheel = words.MANNERS, len(words.MANNERS)
    return ",".join(
        f"{manners[(manner + turn) % wheel]} {things[(thing + turn) % len(things)]}" for turn in range(number)
    )


def image_address(random: Random, form: str) -> str:
    name = f"{random.getrandbits(128):032x}"
    folder = f"{name[:2]}/{name[2:4]}/{name[4:6]}"
    if form == VIDEO:
        return f"https://i.pinimg.com/videos/thumbnails/originals/{folder}/{name}.0000001.jpg"
    draw = random.random()
    ending = "jpg" if draw < 0.92 else "png" if draw < 0.98 else "webp" if draw < 0.99 else "gif"
    return f"https://i.pinimg.com/originals/{folder}/{name}.{ending}"

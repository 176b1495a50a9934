"""What a reader must survive or reject, in tables: values that the column types allow and the contract does not."""

from collections.abc import Callable, Iterator
from datetime import datetime
from random import Random

from sandbox.data.source.schema import TABLES, Post, Row, Value
from sandbox.data.source.shuffling import pick, stream

type Choice = Value | Callable[[Random], Value]

BLANKS = ("", " ", "   ", "\t", "\n", "\u00a0", "\u2003\u2009")
ZERO_WIDTH = ("\u200b", "\ufeff", "\u2060")
NO_TEXT = (None, *BLANKS)


def number(low: int, high: int, form: str) -> Callable[[Random], str]:
    """Return a drawer of whole numbers ``low`` .. ``high`` written as ``form`` says."""
    return lambda random: form.format(low + int(random.random() * (high - low + 1)))


FOLLOWER_COUNTS: tuple[Choice, ...] = (
    *("1.2M", "12K", "1,234", "3B", "2m", "1b", "0", ".5M", "0.4", "2.5", "0.0004k", "1.2345k", "1,234.5"),
    *("1,234,567", "  7k ", "12 k", "\u00a034k\u00a0", "00120"),
    number(1, 99, "{}.7K"),
    number(1, 999, "{},250"),
    number(2, 9, "{}.25M"),
    number(100, 985, "{}K"),
    number(1, 4, "{}B"),
    # no numbers: a defect, but the row stays
    *(None, "", "   ", "12 thousand", "-5", "+5", "1.2.3k", "k", "12.", "1e3", "5kk", "10 %", "١٢k", "１２", "NaN"),
    "12k\u200b",
    # no data, and texts that only resemble the sentinel
    *("User Info Error", " User  Info Error ", "user info error", "User Info Error."),
)
TITLES: tuple[Choice, ...] = (
    *(*NO_TEXT, *ZERO_WIDTH, "untitled", "Untitled ", "No Title Data Available.", " No  Title Data Available"),
    *("x" * 5_000, "back\\slash \\n \\u0041 %s {} $1", "\u202eright to left\u202c", "tab\tand\r\nline\u2028end"),
)
DESCRIPTIONS: tuple[Choice, ...] = (
    *(*NO_TEXT, "No description available.", "no description available", '"}', "'; DROP TABLE pin; --"),
)
POSTER_NAMES: tuple[Choice, ...] = (
    *(*NO_TEXT, "User Info Error", "User  Info Error\u00a0", "User info error"),
    *("\u200bGhost", "Ghost\u00a0\t Writer ", "Ghost Writer", 'O\'Brien "The Pen", Jr.'),
)
DATES = tuple(
    datetime.fromisoformat(text)
    for text in (
        *("1970-01-01", "1999-12-31T23:59:59", "2004-12-31T23:59:59", "2005-01-01", "2005-01-01T00:00:01"),
        *("2999-01-01", "2999-12-31T23:59:59"),
    )
)
AGES = (None, -1, 0, 12, 13, 17, 18, 24, 25, 35, 36, 50, 51, 120, 121, 999)
HARD: dict[str, dict[str, tuple[float, tuple[Choice, ...]]]] = {  # per table and column: how often, and what
    "pin": {
        "unique_id": (0.01, (None, "", "not-a-uuid")),
        "title": (0.10, TITLES),
        "description": (0.05, DESCRIPTIONS),
        "poster_name": (0.06, POSTER_NAMES),
        "follower_count": (0.25, FOLLOWER_COUNTS),
        "tag_list": (0.05, (*NO_TEXT, ",,,", "one", " a , b ,, c ", "N,o, ,T,a,g,s, ,A,v,a,i,l,a,b,l,e.")),
        "is_image_or_video": (0.02, (*NO_TEXT, "IMAGE", "carousel")),
        "image_src": (0.03, (*NO_TEXT, "Image src error", "Image src error.", "not an address")),
        "downloaded": (0.02, (None, 0, 1)),
        "save_location": (0.03, (None, "", "Local save in ", "/data/art", "Local save in  /data/art ")),
        "category": (0.05, (*NO_TEXT, "art ", "\u00a0travel", "Art", "home  decor", "\u200bart")),
    },
    "geo": {
        "timestamp": (0.04, DATES),  # never NULL: the pipeline chooses posts by it
        "latitude": (0.06, (None, 90.0, -90.0, 90.0001, -90.0001, 91.5, 1e6, -0.0)),
        "longitude": (0.06, (None, 180.0, -180.0, 180.0001, -180.0001, 360.0, -1e300, 0.0)),
        "country": (0.06, (*NO_TEXT, " Cote  d'Ivoire ", "Cote d'Ivoire", "\u00a0Korea\t", "korea", "No country")),
    },
    "user": {
        "first_name": (0.04, (*NO_TEXT, "  Ada ", "Ada", "\u200bAda", "User Info Error")),
        "last_name": (0.04, (*NO_TEXT, "van  der\tBerg", "van der Berg", "O'Neill")),
        "age": (0.10, AGES),
        "date_joined": (0.05, (None, *DATES)),
    },
}


def corrupted(posts: Iterator[Post], seed: int) -> Iterator[Post]:
    """Replace values here and there, independently in each column; ids stay."""
    random = stream(seed, "hard")
    plans = {table: plan(table) for table in TABLES}
    for post in posts:
        yield Post(*(corrupt(random, row, plans[table]) for table, row in zip(TABLES, post, strict=True)))


def plan(table: str) -> list[tuple[int, float, tuple[Choice, ...]]]:
    columns = TABLES[table].columns
    return [(columns.index(column), rate, choices) for column, (rate, choices) in HARD[table].items()]


def corrupt(random: Random, row: Row, changes: list[tuple[int, float, tuple[Choice, ...]]]) -> Row:
    values = list(row)
    for place, rate, choices in changes:
        if random.random() < rate:
            choice = pick(random, choices)
            values[place] = choice(random) if callable(choice) else choice
    return tuple(values)

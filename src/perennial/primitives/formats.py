"""Words between text and other values: numbers written out and read, dates in other forms, letters as codes.

>>> date_as("2026-03-09", "%Y-%m-%d", "%d %B %Y"), number_as(1234.5, 2, ",", ".")
('09 March 2026', '1,234.50')

Dates are read and written by the codes of C's `strftime`: `%Y %y %m %d %B %b %A %a %H %I %M %S %p`. Names of
months and days are English on every machine.
"""

from __future__ import annotations

import calendar
import datetime
import math
import re
from functools import lru_cache

from perennial.errors import NoAnswer
from perennial.lang.ops import primitive
from perennial.lang.types import Bool, Int, Real, Text

LONGEST_NUMBER = 40
MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October",
    "November", "December",
)  # fmt: skip
DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
DATE_PATTERNS = {
    "%Y": r"(?P<year>[0-9]{4})",
    "%y": r"(?P<short>[0-9]{2})",
    "%m": r"(?P<month>[0-9]{1,2})",
    "%d": r"(?P<day>[0-9]{1,2})",
    "%B": r"(?P<name>[A-Za-z]{3,9})",
    "%b": r"(?P<name>[A-Za-z]{3})",
    "%A": r"(?P<weekday>[A-Za-z]{6,9})",
    "%a": r"(?P<weekday>[A-Za-z]{3})",
    "%H": r"(?P<hour>[0-9]{1,2})",
    "%I": r"(?P<hour>[0-9]{1,2})",
    "%M": r"(?P<minute>[0-9]{2})",
    "%S": r"(?P<second>[0-9]{2})",
    "%p": r"(?P<half>[AaPp][Mm])",
}


@primitive
def whole_number(text: Text) -> Int:
    """The whole number that a text writes.

    >>> whole_number("-42")
    -42
    """
    if not re.fullmatch(r"\s*[+-]?[0-9]{1,40}\s*", text, re.ASCII):
        raise NoAnswer("This is no whole number.")
    return int(text)


@primitive
def real_number(text: Text) -> Real:
    """The number that a text writes, with a point; commas between thousands are allowed.

    >>> real_number("1,234.5")
    1234.5
    """
    plain = text.strip().replace(",", "")
    if not re.fullmatch(r"[+-]?[0-9]{1,40}(\.[0-9]{1,40})?", plain, re.ASCII):
        raise NoAnswer("This is no number.")
    return float(plain)


@primitive
def written(number: Int) -> Text:
    """A whole number in digits.

    >>> written(42)
    '42'
    """
    if abs(number) >= 10**LONGEST_NUMBER:
        raise NoAnswer("The number is too long to be written.")
    return str(number)


@primitive
def number_as(number: Real, decimals: Int, thousands: Text, point: Text) -> Text:
    """A number with so many decimals, a separator between thousands and a decimal point; zero has no sign.

    >>> number_as(1234.5, 1, ".", ","), number_as(0.125, 2, "", "."), number_as(-0.001, 2, "", ".")
    ('1.234,5', '0.12', '0.00')
    """
    if (
        not math.isfinite(number)
        or abs(number) >= 1e15
        or not 0 <= decimals <= 15
        or len(thousands + point) > 10
    ):
        raise NoAnswer("Only finite numbers of moderate size can be written so.")
    whole, _, rest = f"{number:z,.{decimals}f}".partition(".")
    return whole.replace(",", thousands) + (point + rest if rest else "")


@primitive
def percent(share: Real, decimals: Int) -> Text:
    """A share as a percentage; zero has no sign.

    >>> percent(0.125, 1), percent(-0.00001, 1)
    ('12.5%', '0.0%')
    """
    if not math.isfinite(share) or abs(share) >= 1e12 or not 0 <= decimals <= 12:
        raise NoAnswer("Only finite shares of moderate size can be written so.")
    return f"{100 * share:z.{decimals}f}%"


@primitive
def code_of(letter: Text) -> Int:
    """The Unicode number of a character.

    >>> code_of("A")
    65
    """
    if len(letter) != 1:
        raise NoAnswer("Only one character has a code.")
    return ord(letter)


@primitive
def letter_of(code: Int) -> Text:
    """The character of a Unicode number.

    >>> letter_of(65)
    'A'
    """
    if not 0 <= code < 0xD800:
        raise NoAnswer("There is no such character.")
    return chr(code)


@lru_cache(maxsize=512)
def date_pattern(form: str) -> re.Pattern:
    """The regular expression of a date's form."""
    parts = re.split(r"(%[A-Za-z])", form[:60])
    codes = [part for part in parts if part.startswith("%") and len(part) == 2]
    names = [re.match(r"\(\?P<(\w+)>", DATE_PATTERNS[code])[1] for code in codes if code in DATE_PATTERNS]
    if not codes or any(code not in DATE_PATTERNS for code in codes) or len(set(names)) < len(names):
        raise NoAnswer(f"A date has a form such as '%d.%m.%Y', received {form!r}.")
    return re.compile("".join(DATE_PATTERNS.get(part) or re.escape(part) for part in parts), re.ASCII)


def month_number(name: str) -> int:
    """The number of a month from its English name or the first three letters."""
    for number, month in enumerate(MONTHS, 1):
        if name.lower() in (month.lower(), month[:3].lower()):
            return number
    raise NoAnswer(f"{name!r} is no month.")


@lru_cache(maxsize=4096)
def read_date(text: str, form: str) -> datetime.datetime:
    """The point in time that a text of a form writes; what the form lacks is that of 1 January 2000."""
    found = date_pattern(form).fullmatch(text)
    if not found:
        raise NoAnswer(f"This is no date of the form {form!r}.")
    told = {name: value for name, value in found.groupdict().items() if value is not None}
    year = int(told.get("year", 2000))
    if "short" in told:
        year = int(told["short"]) + (2000 if int(told["short"]) < 69 else 1900)
    month = month_number(told["name"]) if "name" in told else int(told.get("month", 1))
    hour = int(told.get("hour", 0))
    if "half" in told:
        if not 1 <= hour <= 12:
            raise NoAnswer("A clock of twelve hours has no such hour.")
        hour = hour % 12 + (12 if told["half"].lower() == "pm" else 0)
    try:
        return datetime.datetime(
            year, month, int(told.get("day", 1)), hour, int(told.get("minute", 0)), int(told.get("second", 0))
        )
    except ValueError:
        raise NoAnswer("There is no such date.") from None


def write_date(when: datetime.datetime, form: str) -> str:
    """A point in time in a form."""
    hour, half = (when.hour % 12) or 12, "PM" if when.hour >= 12 else "AM"
    values = {
        "%Y": f"{when.year:04d}", "%y": f"{when.year % 100:02d}", "%m": f"{when.month:02d}", "%d": f"{when.day:02d}",
        "%B": MONTHS[when.month - 1], "%b": MONTHS[when.month - 1][:3], "%A": DAYS[when.weekday()],
        "%a": DAYS[when.weekday()][:3], "%H": f"{when.hour:02d}", "%I": f"{hour:02d}", "%M": f"{when.minute:02d}",
        "%S": f"{when.second:02d}", "%p": half, "%e": str(when.day), "%n": str(when.month), "%k": str(hour),
        "%q": str((when.month + 2) // 3),
    }  # fmt: skip
    return re.sub(r"%[A-Za-z]", lambda found: values.get(found[0], found[0]), form[:100])


@primitive
def date_as(text: Text, form: Text, wanted: Text) -> Text:
    """A date in another form; `%e`, `%n` and `%k` write day, month and hour without a zero, `%q` the quarter.

    >>> date_as("3/9/26", "%m/%d/%y", "%e %b %Y"), date_as("14:05", "%H:%M", "%k:%M %p")
    ('9 Mar 2026', '2:05 PM')
    """
    return write_date(read_date(text, form), wanted)


@primitive
def days_between(earlier: Text, later: Text, form: Text) -> Int:
    """How many days lie between two dates of a form.

    >>> days_between("2026-02-27", "2026-03-01", "%Y-%m-%d")
    2
    """
    return (read_date(later, form) - read_date(earlier, form)).days


@primitive
def is_date(text: Text, form: Text) -> Bool:
    """Whether a text is a date of a form.

    >>> is_date("31.02.2026", "%d.%m.%Y")
    False
    """
    try:
        read_date(text, form)
    except NoAnswer:
        return False
    return True


@primitive
def later_by(text: Text, form: Text, days: Int) -> Text:
    """The date so many days later, in the same form.

    >>> later_by("2026-02-27", "%Y-%m-%d", 2)
    '2026-03-01'
    """
    if abs(days) > 4_000_000:
        raise NoAnswer("So far from now there are no dates.")
    try:
        return write_date(read_date(text, form) + datetime.timedelta(days=days), form)
    except OverflowError:
        raise NoAnswer("So far from now there are no dates.") from None


@primitive
def days_in_month(text: Text, form: Text) -> Int:
    """How many days the month of a date has.

    >>> days_in_month("2026-02-27", "%Y-%m-%d")
    28
    """
    when = read_date(text, form)
    return calendar.monthrange(when.year, when.month)[1]

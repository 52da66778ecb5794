"""How five languages say a number, an amount, a date and a time: num2words' and Babel's words, made to agree.

number(381, "de")                               dreihunderteinundachtzig
amount(21, 1, "euro", "es")                     veintiún euros con un céntimo
date(datetime.date(1999, 3, 1), "fr")           lundi premier mars mille neuf cent quatre-vingt-dix-neuf
time(21, 2, "cs")                               dvacet jedna hodin dvě minuty
"""

import datetime
import re

from babel.dates import get_day_names, get_month_names
from num2words import num2words

LANGUAGES = ("en", "de", "fr", "es", "cs")
NOUNS = {  # one, two to four (Czech alone tells them apart), more; and the gender that a numeral takes
    "en": {
        "euro": ("euro", "euros", "euros", "n"),
        "eurocent": ("cent", "cents", "cents", "n"),
        "dollar": ("dollar", "dollars", "dollars", "n"),
        "dollarcent": ("cent", "cents", "cents", "n"),
        "hour": ("hour", "hours", "hours", "n"),
        "minute": ("minute", "minutes", "minutes", "n"),
    },
    "de": {
        "euro": ("Euro", "Euro", "Euro", "m"),
        "eurocent": ("Cent", "Cent", "Cent", "m"),
        "dollar": ("Dollar", "Dollar", "Dollar", "m"),
        "dollarcent": ("Cent", "Cent", "Cent", "m"),
        "hour": ("Uhr", "Uhr", "Uhr", "m"),
        "minute": ("Minute", "Minuten", "Minuten", "f"),
    },
    "fr": {
        "euro": ("euro", "euros", "euros", "m"),
        "eurocent": ("centime", "centimes", "centimes", "m"),
        "dollar": ("dollar", "dollars", "dollars", "m"),
        "dollarcent": ("cent", "cents", "cents", "m"),
        "hour": ("heure", "heures", "heures", "f"),
        "minute": ("minute", "minutes", "minutes", "f"),
    },
    "es": {
        "euro": ("euro", "euros", "euros", "m"),
        "eurocent": ("céntimo", "céntimos", "céntimos", "m"),
        "dollar": ("dólar", "dólares", "dólares", "m"),
        "dollarcent": ("centavo", "centavos", "centavos", "m"),
        "hour": ("hora", "horas", "horas", "f"),
        "minute": ("minuto", "minutos", "minutos", "m"),
    },
    "cs": {
        "euro": ("euro", "eura", "eur", "n"),
        "eurocent": ("cent", "centy", "centů", "m"),
        "dollar": ("dolar", "dolary", "dolarů", "m"),
        "dollarcent": ("cent", "centy", "centů", "m"),
        "hour": ("hodina", "hodiny", "hodin", "f"),
        "minute": ("minuta", "minuty", "minut", "f"),
    },
}
AND = {"en": " and ", "de": " und ", "fr": " et ", "es": " con ", "cs": " a "}  # between the parts of an amount
ONE = {"de": {"m": "ein", "f": "eine"}, "cs": {"m": "jeden", "f": "jedna", "n": "jedno"}}
TWO = {"m": "dva", "f": "dvě", "n": "dvě"}  # Czech
# fmt: off
CZECH_DAYS = (
    "prvního", "druhého", "třetího", "čtvrtého", "pátého",
    "šestého", "sedmého", "osmého", "devátého", "desátého",
    "jedenáctého", "dvanáctého", "třináctého", "čtrnáctého", "patnáctého",
    "šestnáctého", "sedmnáctého", "osmnáctého", "devatenáctého", "dvacátého",
)  # the first to the twentieth, in the genitive
# fmt: on


def number(value: int, language: str) -> str:
    """The numeral as one counts."""
    words: str = num2words(value, lang=language)
    if language == "es":  # num2words leaves "veintiuno mil"
        words = re.sub(r"\bveintiuno mil\b", "veintiún mil", words)
        words = re.sub(r"\buno mil\b", "un mil", words)
    return words


def amount(whole: int, part: int, currency: str, language: str) -> str:
    """`whole` euros or dollars and `part` hundredths; no hundredths are not mentioned."""
    said = _counted(whole, currency, language)
    return said + AND[language] + _counted(part, f"{currency}cent", language) if part else said


def time(hour: int, minute: int, language: str) -> str:
    """The time of day on a 24-hour clock; a full hour has no minutes."""
    said = _counted(hour, "hour", language)
    return f"{said} {_counted(minute, 'minute', language)}" if minute else said


def date(day: datetime.date, language: str) -> str:
    """Weekday, day, month and year."""
    weekday = get_day_names("wide", locale=language)[day.weekday()]
    month = get_month_names("wide", "format", locale=language)[day.month]
    year: str = num2words(day.year, lang=language, to="year")
    if language == "en":
        return f"{weekday}, the {num2words(day.day, lang='en', to='ordinal')} of {month}, {year}"
    if language == "de":
        return f"{weekday}, der {num2words(day.day, lang='de', to='ordinal')} {month} {year}"
    if language == "fr":
        return f"{weekday} {'premier' if day.day == 1 else number(day.day, 'fr')} {month} {year}"
    if language == "es":
        return f"{weekday} {number(day.day, 'es')} de {month} de {year}"
    return f"{weekday} {_czech_day(day.day)} {month} {year}"


def _counted(value: int, thing: str, language: str) -> str:
    """A numeral and its noun, each in the form that the other asks for."""
    one, few, many, gender = NOUNS[language][thing]
    noun = one if value == 1 else few if value in (2, 3, 4) else many
    if language == "fr" and value == 0:
        noun = one  # French counts nothing in the singular
    return f"{_agreeing(value, gender, language)} {noun}"


def _agreeing(value: int, gender: str, language: str) -> str:
    """The numeral before a noun of that gender."""
    words = number(value, language)
    if language in ONE and value == 1:
        return ONE[language][gender]
    if language == "cs" and value == 2:
        return TWO[gender]
    if language == "fr" and gender == "f":
        return re.sub(r"\bun$", "une", words)
    if language == "es" and gender == "f":
        return re.sub(r"cientos\b", "cientas", re.sub(r"uno$", "una", words))
    if language == "es":
        return re.sub(r"uno$", "un", re.sub(r"veintiuno$", "veintiún", words))
    return words


def _czech_day(day: int) -> str:
    """The day of the month as a Czech ordinal in the genitive."""
    if day <= 20:
        return CZECH_DAYS[day - 1]
    tens = "třicátého" if day >= 30 else "dvacátého"
    return tens if day == 30 else f"{tens} {CZECH_DAYS[day % 10 - 1]}"

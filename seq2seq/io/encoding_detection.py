"""What bytes are that are no UTF-8: another encoding of text, or no text at all; and what to do about it.

UTF-16 and UTF-32 have a byte order mark, or decode to characters that texts are full of; so do the encodings of one
language or script, each of which turns the text of any other into characters that hardly occur.
"""

import codecs
import re
from typing import NamedTuple

from seq2seq.errors import DataError

SHORTEST_WIDE = 4  # characters
SAMPLE = 1 << 16  # bytes that are looked at
FORMATS = (  # how files begin that hold no text
    (rb"\x1f\x8b\x08", "gzip data", "give the file a name that ends in .gz"),
    (rb"\xfd7zXZ\0", "xz data", "give the file a name that ends in .xz"),
    (rb"\x28\xb5\x2f\xfd", "zstd data", "give the file a name that ends in .zst"),
    (rb"BZh[1-9]1AY&SY", "bzip2 data", "unpack it first (bunzip2)"),
    (rb"7z\xbc\xaf\x27\x1c", "a 7z archive", "unpack it first"),
    (rb"Rar!\x1a\x07", "a RAR archive", "unpack it first"),
    (rb"PK\x03\x04.*word/", "a Word document (docx)", "save it as plain text in UTF-8"),
    (rb"PK\x03\x04.*xl/", "an Excel workbook (xlsx)", "save it as tab-separated text in UTF-8"),
    (rb"PK\x03\x04.*ppt/", "a PowerPoint file (pptx)", "save its text in UTF-8"),
    (rb"PK\x03\x04.*application/vnd\.oasis\.opendocument", "an OpenDocument file", "save it as plain text in UTF-8"),
    (rb"PK\x03\x04.*application/epub", "an EPUB book", "save its text in UTF-8"),
    (rb"PK\x03\x04", "a zip archive", "unpack it first (unzip)"),
    (rb"%PDF-\d", "a PDF document", "extract its text first (pdftotext -enc UTF-8)"),
    (rb"\{\\rtf\d", "an RTF document", "save it as plain text in UTF-8"),
    (rb"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an old Office document (doc, xls, ppt)", "save it as plain text in UTF-8"),
    (rb"PAR1[\x00-\x1f]", "a Parquet table", "read it with corpus=parquet"),
    (rb"ARROW1\0\0", "an Arrow table", "write its text as UTF-8 lines"),
    (rb"SQLite format 3\0", "an SQLite database", "write its text as UTF-8 lines"),
    (rb"\x89PNG\r\n|\xff\xd8\xff[\xdb\xe0-\xef]|GIF8[79]a", "a picture", "name a file of text"),
    (rb"\x7fELF[\x01\x02]", "a program", "name a file of text"),
    (rb"\x80[\x02-\x05][\x00-\xff]", "a pickle", "name a file of text"),
)
MARKS = (  # UTF-32LE begins as UTF-16LE does
    (codecs.BOM_UTF32_LE, "UTF-32LE"),
    (codecs.BOM_UTF32_BE, "UTF-32BE"),
    (codecs.BOM_UTF16_LE, "UTF-16LE"),
    (codecs.BOM_UTF16_BE, "UTF-16BE"),
)
HAN = (
    "的一是了我不人在他有這個个上們们來来到時时大地為为子中你說说生國国年着就那和要她出也得里後后自以會会家可下而過过天去能對对小多"
    "心学學么看起发發當当没成只如事把還还用第样樣道想作种種開开美两兩好，。"
)
KANA = "のにはをたがでとしれさいあるもなかっらりくこきまそうすけよんえみわ、。アイトンスルリラクドシタカ日本人大年出"
HANGUL = "이다는을의에가고하은지로도를사기한인자시서어나그수리대아일있해정주게들것보"
CYRILLIC = "оеаинтсрвлкмдпуяьызбгчйхжшіїє"
GREEK = "αοιετσνηυρπκμλςάίόέω"
WESTERN = "äöüßéèàçñóáíúêâôîûëïåøæãõÄÖÜÉÅØÀŒœ«»’‘“”„–—…°§¿¡€"
CENTRAL = "ąćęłńóśźżčďěňřšťůžáéíýőűúöüäôĺľŕŁŚŻČŠŽŘ„”–"
TURKISH = "ışğüöçİŞĞÜÖÇ"
HEBREW = "יוהאלרמתבשנםכדפקעחן"
ARABIC = "اليمونرتبعدسفكهقأحةىجشط"
THAI = "านรอกเงมยลวดทสตะปบคหแจพชขใไ่้ัี็ิุู์"
BALTIC = "āčēģīķļņšūžąęėįų"


class Encoding(NamedTuple):
    """A text encoding: its name for iconv, its codec, and the frequent characters of its texts besides ASCII."""

    name: str
    codec: str
    frequent: str


SEVERAL_BYTES = (
    Encoding("SHIFT-JIS", "cp932", KANA),
    Encoding("EUC-JP", "euc_jp", KANA),
    Encoding("GB18030", "gb18030", HAN),
    Encoding("BIG5", "big5", HAN),
    Encoding("EUC-KR", "cp949", HANGUL),
)
ONE_BYTE = (
    Encoding("CP1252", "cp1252", WESTERN),
    Encoding("CP1251", "cp1251", CYRILLIC),
    Encoding("KOI8-R", "koi8_r", CYRILLIC),
    Encoding("CP866", "cp866", CYRILLIC),
    Encoding("CP1250", "cp1250", CENTRAL),
    Encoding("ISO-8859-2", "iso8859_2", CENTRAL),
    Encoding("CP1253", "cp1253", GREEK),
    Encoding("CP1254", "cp1254", TURKISH),
    Encoding("CP1255", "cp1255", HEBREW),
    Encoding("CP1256", "cp1256", ARABIC),
    Encoding("CP874", "cp874", THAI),
    Encoding("CP1257", "cp1257", BALTIC),
    Encoding("MACINTOSH", "mac_roman", WESTERN),
    Encoding("CP850", "cp850", WESTERN),
)
EVERY = "".join(encoding.frequent for encoding in (*SEVERAL_BYTES, *ONE_BYTE))
WIDE = tuple(Encoding(name, name.lower(), EVERY) for _, name in MARKS)
CONTROLS = [bytes([one]) for one in range(32) if one not in b"\t\n\r"]
ENOUGH = 0.2  # share of frequent characters among those that are no ASCII
WIDE_ENOUGH = 0.5  # share of ASCII and frequent ones, of all


def unreadable(head: bytes) -> str | None:
    """What a file is that begins so, and what to do, where it is no text or UTF-16 or UTF-32; None elsewhere."""
    for beginning, kind, advice in FORMATS:
        if re.match(beginning, head, re.DOTALL):
            return f"{kind}; {advice}"
    for mark, name in MARKS:
        if head.startswith(mark) and (name != "UTF-32LE" or _decoded(head, WIDE[0])):
            return f"{name}; {_convert(name)}"
    return None if is_utf8(head) and not _has_many_controls(head) else wide(head)


def wide(raw: bytes) -> str | None:
    """The same where `raw` is UTF-16 or UTF-32 without a mark."""
    shares = {one.name: _share(raw, one, every=True) for one in WIDE}
    name = max(shares, key=lambda one: shares[one])
    return f"{name} without a byte order mark; {_convert(name)}" if shares[name] >= WIDE_ENOUGH else None


def wide_line(raw: bytes) -> bool:
    """Whether a line without its end is UTF-16 or UTF-32; half of a line feed may be at either side."""
    return _has_many_controls(raw) and wide(raw.strip(b"\0")) is not None


def advice(sample: bytes) -> str:
    """How to convert text of another encoding to UTF-8, as far as a sample of it shows which one."""
    for family in (SEVERAL_BYTES, ONE_BYTE):  # the second decodes everything that the first does
        shares = [(_share(sample, one, every=False), one.name) for one in family]
        share, name = max(shares, key=lambda one: one[0])  # of equals the first, which is the more usual one
        if share >= ENOUGH:
            break
    else:
        return "find out its encoding and convert the file (iconv -f ENCODING -t UTF-8), or correct the line"
    return f"if the text is {name}, as it looks, {_convert(name)}; otherwise correct the line"


def _convert(name: str) -> str:
    return f"convert the file: iconv -f {name} -t UTF-8"


def _share(raw: bytes, encoding: Encoding, every: bool) -> float:
    """The share of characters that texts are full of, of all or of those that are no ASCII."""
    text = _decoded(raw, encoding)
    if not text or "\0" in text or len(text) < (SHORTEST_WIDE if every else 1):
        return 0.0
    counted = text if every else [one for one in text if not one.isascii()]
    fitting = sum(
        one in encoding.frequent or (one.isascii() and (one.isprintable() or one in "\t\r\n")) for one in counted
    )
    return fitting / max(1, len(counted))


def _decoded(raw: bytes, encoding: Encoding) -> str | None:
    """The text; a character may be cut off at its end."""
    raw = raw[:SAMPLE]
    decoder = codecs.getincrementaldecoder(encoding.codec)()
    try:
        return decoder.decode(raw)
    except UnicodeDecodeError:
        return None


def is_utf8(raw: bytes) -> bool:
    """Whether bytes are UTF-8; a character may be cut off at their end."""
    try:
        codecs.getincrementaldecoder("utf-8")().decode(raw[:SAMPLE])
    except UnicodeDecodeError:
        return False
    return True


def _has_many_controls(raw: bytes) -> bool:
    """Whether every second byte, or more of them, is what UTF-16 and UTF-32 have there and no text in UTF-8 has."""
    raw = raw[:SAMPLE]
    controls = sum(map(raw.count, CONTROLS))
    return controls * 2 >= len(raw) * 0.8 - 2 and len(raw) - controls >= 2


def check_head(head: bytes, name: str) -> None:
    """Raises DataError where a file that begins so is no text, or text in UTF-16 or UTF-32."""
    if problem := unreadable(head):
        raise DataError(f"{name}: expected text in UTF-8, got {problem}")


def check_line(raw: bytes, where: str) -> None:
    """Raises DataError for a line in UTF-16 or UTF-32, as programs append them to files in UTF-8."""
    if b"\0" in raw and wide_line(raw):
        raise DataError(
            f"{where}: expected UTF-8, got UTF-16 or UTF-32 from here on; was it appended by another program? "
            "write this part again as UTF-8 (iconv)"
        )


def invalid_bytes(error: UnicodeDecodeError, where: str, head: bytes) -> DataError:
    """The error for a line that is no UTF-8; `head`, the file's beginning, tells its encoding better than the line."""
    raw = error.object
    return DataError(
        f"{where}: expected UTF-8, got the bytes {raw[error.start : error.end].hex(' ')} at byte {error.start + 1} of "
        f"the line; {advice(raw if is_utf8(head) else head)}"
    )

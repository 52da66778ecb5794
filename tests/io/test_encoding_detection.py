"""Bytes that are no UTF-8 are named as what they are, and the advice is right for them; UTF-8 never is."""

import codecs
import io
import zipfile

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from seq2seq.io.encoding_detection import ONE_BYTE, SEVERAL_BYTES, advice, unreadable

TEXTS = {
    "en": "A dog runs.\nTwo men sleep in the snow.\n",
    "de": "Ein Hund läuft über die Straße.\nZwei Männer schlafen.\n",
    "ru": "Собака бежит по снегу.\nДва человека спят.\n",
    "zh": "一只狗在雪地里跑。\n两个人在睡觉，我们看着他们。\n",
    "ja": "犬が雪の中を走っている。\n二人の男が眠っています。\n",
    "ko": "개가 눈 속에서 달리고 있다.\n두 남자가 자고 있다.\n",
    "el": "Ένας σκύλος τρέχει στο χιόνι.\n",
    "th": "สุนัขวิ่งอยู่ในหิมะ\n",
}
WIDE = ("UTF-16LE", "UTF-16BE", "UTF-32LE", "UTF-32BE")
MARKS = dict(
    zip(WIDE, (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE, codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE), strict=True)
)
IN_LEGACY = [
    ("de", "CP1252"), ("ja", "SHIFT-JIS"), ("ja", "EUC-JP"), ("zh", "GB18030"), ("ko", "EUC-KR"), ("ru", "CP1251"),
    ("ru", "KOI8-R"), ("ru", "CP866"), ("el", "CP1253"), ("th", "CP874"),
]  # fmt: skip


@pytest.mark.parametrize("name", WIDE)
@pytest.mark.parametrize("language", TEXTS)
@pytest.mark.parametrize("marked", [True, False])
def test_wide_encodings_are_named(name: str, language: str, marked: bool) -> None:
    raw = TEXTS[language].encode(name.lower())
    found = unreadable((MARKS[name] if marked else b"") + raw)
    assert found is not None and found.startswith(name) and f"iconv -f {name} -t UTF-8" in found


@pytest.mark.parametrize(("language", "name"), IN_LEGACY)
def test_other_encodings_are_named_in_the_advice(language: str, name: str) -> None:
    raw = TEXTS[language].encode(next(one.codec for one in (*SEVERAL_BYTES, *ONE_BYTE) if one.name == name))
    assert unreadable(raw) is None
    assert f"iconv -f {name} -t UTF-8" in advice(raw)


def test_traditional_characters_and_central_europe() -> None:
    assert "iconv -f BIG5 " in advice("我們看著他們在雪地裡跑，這個人說了。\n".encode("big5"))
    assert "iconv -f CP1250 " in advice("Žluťoučký kůň pěl ďábelské ódy. Dwóch mężczyzn śpi.\n".encode("cp1250"))


@pytest.mark.parametrize("text", TEXTS.values())
def test_every_start_of_utf8_is_text(text: str) -> None:
    raw = text.encode()
    assert all(unreadable(raw[:end]) is None for end in range(len(raw) + 1))


@given(st.text(max_size=60))
@example("a\0b")
@example("\0\0\0\0")
@example("PK")
@example("1\0\n2\0\n")
def test_utf8_is_text_whatever_it_holds(text: str) -> None:
    if sum(one < " " for one in text) * 3 < len(text) or set(text) == {"\0"} or len(text) < 7:
        assert unreadable(text.encode("utf-8", "ignore")) is None


def zipped(*names: str) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as file:
        for name in names:
            file.writestr(name, "x")
    return content.getvalue()


@pytest.mark.parametrize(
    ("raw", "kind"),
    [
        (zipped("[Content_Types].xml", "word/document.xml"), "docx"),
        (zipped("[Content_Types].xml", "xl/workbook.xml"), "xlsx"),
        (zipped("a.txt"), "zip archive"),
        (b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n", "PDF"),
        (b"\x1f\x8b\x08\x00\x00\x00", "gzip"),
        (b"\xfd7zXZ\x00\x00\x04", "xz"),
        (b"\x28\xb5\x2f\xfd\x04", "zstd"),
        (b"\x89PNG\r\n\x1a\n", "picture"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1\0\0", "Office"),
    ],
)
def test_files_that_hold_no_text_are_named(raw: bytes, kind: str) -> None:
    found = unreadable(raw)
    assert found is not None and kind in found and ";" in found

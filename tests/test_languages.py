"""One table of languages: whatever a code looks like, the same language gives the same answers."""

import pytest

from seq2seq.languages import language, matching, same_code, unspaced, writing


@pytest.mark.parametrize(
    ("spellings", "code"),
    [
        ("zh ZH zho chi cmn cn zh_XX zh.UTF-8", "zh"),
        ("zh_CN zh-CN zh-cn ZH_cn cmn_CN zho-CN zh_CN.UTF-8", "zh-CN"),
        ("zh_Hans zh-hans zho_Hans cmn_Hans", "zh-Hans"),
        ("ja jpn JA jp ja_XX", "ja"),
        ("pt-BR pt_BR pt-br por_BR PT-BR", "pt-BR"),
        ("sr_Latn sr-latn srp_Latn", "sr-Latn"),
        ("de deu ger DE", "de"),
        ("he iw heb", "he"),
        ("th tha", "th"),
        ("my mya bur", "my"),
        ("bo bod tib", "bo"),
        ("no nor nb nob", "no"),
        ("yue zh-yue", "yue"),
        ("nan zh-min-nan", "nan"),
    ],
)
def test_a_language_has_one_canonical_code(spellings: str, code: str) -> None:
    assert {language(one).code for one in spellings.split()} == {code}
    assert all(language(one).known for one in spellings.split())


@pytest.mark.parametrize(
    "code", ["xx", "text", "label", "tags", "my_text", "my-lang", "a", "", "-", "pt BR", "mt5", "e1"]
)
def test_what_is_no_code_is_a_language_with_spaces(code: str) -> None:
    assert not language(code).known and language(code).code == code
    assert writing(code).bleu == "13a" and writing(code).ter == "words" and not unspaced(code)


UNSPACED = {
    "zh": "zh zh_CN zh_Hant zh-TW cmn yue yue_Hant wuu nan hak gan cjy lzh vi-Hani",
    "ja-mecab": "ja jpn ja_JP ja-Hira ja_XX",
    "char": "th tha_Thai lo lao km khm_Khmr my my_MM mya_Mymr bo bod_Tibt dz shn nod khb tts",
}
SPACED = {
    "ko-mecab": "ko kor_Hang ko_KR",
    "13a": "en de pt-BR vi sr_Latn ja-Latn zh-Latn nan-Latn ko-Latn th-Latn ar hi am",
}


@pytest.mark.parametrize(
    ("codes", "tokenizer", "apart"),
    [(codes, name, False) for name, codes in UNSPACED.items()]
    + [(codes, name, True) for name, codes in SPACED.items()],
)
def test_the_script_decides_how_words_are_found(codes: str, tokenizer: str, apart: bool) -> None:
    for code in codes.split():
        assert (writing(code).bleu, unspaced(code)) == (tokenizer, not apart), code


@pytest.mark.parametrize(
    ("code", "known", "meant"),
    [
        ("zho", "en zh", "zh"),
        ("zh", "en zho", "zho"),
        ("zh_CN", "zh", "zh"),
        ("zh", "zh_TW", "zh_TW"),
        ("zh-CN", "zh_Hans zh_Hant", "zh_Hans"),
        ("zh_cn", "zh zh-CN", "zh-CN"),
        ("zh", "zh_Hans zh_Hant", "zh_Hans zh_Hant"),
        ("zh", "zh zh_Hant", "zh"),
        ("en_US", "en-GB en", "en"),
        ("en_US", "en-GB", ""),
        ("en", "en-GB en-US", "en-GB en-US"),
        ("zh_TW", "zh", ""),
        ("yue", "zh", ""),
        ("sr_Latn", "sr", ""),
        ("XX", "xx", "xx"),
        ("text", "en label", ""),
        ("iw", "he", "he"),
    ],
)
def test_another_code_of_the_same_language_is_understood(code: str, known: str, meant: str) -> None:
    assert matching(code, known.split()) == meant.split()


def test_codes_that_differ_in_spelling_alone_are_the_same() -> None:
    assert same_code("pt-BR", "PT_br") and not same_code("zh", "zho")

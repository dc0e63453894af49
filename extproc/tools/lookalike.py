"""Names as a hurried reader, or a model, takes them: what looks or reads the same has the same key.

Only for finding names to be suspicious of. Never compare for equality of meaning with it.
"""

import unicodedata

from extproc.tools.visible import invisible

# Letters of other scripts, and digits, that are drawn like a Latin letter. `i` and `l` are one: a capital I is an l.
_DRAWN_LIKE = str.maketrans(
    {
        **dict(zip("аеорсухіјѕԁһԛԝкмтнвгпьӏүғ", "aeopcyxijsdhqwkmthbrnblyf", strict=True)),
        **dict(zip("αοριυκτνεχγηωβσςμ", "aopiuktvexynwboou", strict=True)),
        **dict(zip("ıɡɑʟǀøđłħƅ", "igalloolhb", strict=True)),
        **dict(zip("0135|", "olesl", strict=True)),
    }
)
_SAME = str.maketrans("i", "l")


def words(name: str) -> list[str]:
    """The words of a name, folded: `sendMail_v2` is send, mail, v2."""
    found: list[str] = []
    word = ""
    before = ""
    for char in name:
        if not char.isalnum():
            if word and not invisible(char) and not unicodedata.combining(char):
                found.append(word)
                word = ""
            continue
        if char.isupper() and before.islower():
            found.append(word)
            word = ""
        word += char
        before = char
    if word:
        found.append(word)
    return [folded for folded in map(fold, found) if folded]


def fold(text: str) -> str:
    """Letters and digits only, in one case, without marks, each as the Latin letter it is drawn like."""
    if not text.isascii():
        text = unicodedata.normalize("NFKD", text)
    text = text.casefold().translate(_DRAWN_LIKE).translate(_SAME)
    if not text.isalnum() or not text.isascii():
        text = "".join(char for char in text if char.isalnum())
    return text.replace("rn", "m").replace("vv", "w")


def one_apart(one: str, other: str) -> bool:
    """Whether one character was added, left out, replaced (but no digit by another: those count things), or two
    neighbours changed places."""
    if len(one) > len(other):
        one, other = other, one
    if len(other) - len(one) > 1 or one == other:
        return False
    at = 0
    while at < len(one) and one[at] == other[at]:
        at += 1
    if len(one) < len(other):
        return one[at:] == other[at + 1 :] and not other[at].isdigit()
    if one[at + 1 :] == other[at + 1 :]:
        return not (one[at].isdigit() and other[at].isdigit())
    return one[at : at + 2] == other[at : at + 2][::-1] and one[at + 2 :] == other[at + 2 :]


def neighbours(key: str) -> set[str]:
    """The key and all that remains of it without one character. Two keys that are one apart share one of them."""
    return {key, *(key[:at] + key[at + 1 :] for at in range(len(key)))}

"""Letters that look like other letters, and the plain form of a text that phrases are looked for in."""

import unicodedata

from extproc.screening import invisible
from extproc.screening.model import Sight, Sign
from extproc.screening.patterns import Pattern, decoded, encoded

MIXED = Sign("homoglyphs", "Words mix look-alike letters of other scripts into Latin.", description=45, result=35)

# Cyrillic, Greek, Armenian and Cherokee letters that pass for Latin ones; small capitals and their like.
_CONFUSABLE = dict(
    zip(
        "аАеЕоОрРсСуУхХіІѕЅјЈԁԛԝһВКМНТкмтнкɡցոսհօзпвгьӏԍқҝոᎪᏴᏟᎬᏀᎻᎫᏦᏞᎷΝΟΡΤΧΥΖΑΒΕΗΙΚΜοανιρτυκεχηςωβ",
        "aAeEoOpPcCyYxXiIsSjJdqwhBKMHTkmtnkggnuho3nbrblgkknABCEGHJKLMNOPTXYZABEHIKMoavipTukexncwb",
        strict=False,
    )
) | dict(zip("ɪɢɴʀʙʜʟʏꜰᴀᴄᴅᴇᴊᴋᴍᴏᴘᴛᴜᴠᴡᴢꜱ", "IGNRBHLYFACDEJKMOPTUVWZS", strict=True))
_TO_LATIN = str.maketrans(_CONFUSABLE)
_LOOKALIKES = frozenset(_CONFUSABLE)
_ACCENTS = dict.fromkeys(range(0x300, 0x370)) | {0x3099: None, 0x309A: None}
_FOREIGN = (
    r"\x{370}-\x{3ff}\x{400}-\x{52f}\x{531}-\x{58f}\x{13a0}-\x{13ff}\x{250}-\x{2af}\x{1d00}-\x{1d2b}\x{a730}\x{a731}"
)

GATE = (rf"[a-z][{_FOREIGN}]|[{_FOREIGN}][a-z]",)
_SMALL_CAPITALS = "ɪɢɴʀʙʜʟʏꜰᴀᴄᴅᴇᴊᴋᴍᴏᴘᴛᴜᴠᴡᴢꜱ"
_WORD = Pattern(  # Latin and other letters in one word, or small capitals
    rf"[a-z{_FOREIGN}]*(?:[a-z][{_FOREIGN}]|[{_FOREIGN}][a-z]|[{_SMALL_CAPITALS}])[a-z{_FOREIGN}]*"
)


def look(text: str) -> Sight:
    """Whether a word with two Latin letters holds a look-alike, all its foreign letters being such."""
    data = encoded(text)
    return Sight((MIXED,)) if any(_mixed(decoded(data[begin:end])) for begin, end in _WORD.places(data)) else Sight()


def _mixed(word: str) -> bool:
    if word.isascii() or len(word) < 3:
        return False
    latin = sum(letter.isascii() for letter in word)
    foreign = [letter for letter in word if not letter.isascii()]
    return latin >= 2 and all(letter in _LOOKALIKES for letter in foreign)


def plain(text: str) -> str:
    """Without accents, in the compatibility form: 𝐢𝐠𝐧𝐨𝐫é is `ignore`. Case stays; Korean stays composed."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFKD", text).translate(_ACCENTS))


def fold(text: str) -> str:
    """The plain form of what a reader sees: invisible characters gone, look-alikes in mixed words made Latin."""
    seen = plain(invisible.without(text))
    data = encoded(seen)
    pieces: list[bytes] = []
    done = 0
    for begin, end in _WORD.places(data):
        pieces += (data[done:begin], decoded(data[begin:end]).translate(_TO_LATIN).encode())
        done = end
    return decoded(b"".join((*pieces, data[done:])))

"""The names of charsets: which one a label means, by the WHATWG Encoding Standard."""

# Name in the standard: the labels that mean it, letters and digits only, with some that only authors know.
# Browsers refuse two of these, for scripts can hide in them; there are none in a text.
_LABELS = {
    "utf-8": "utf8 unicode11utf8 unicode20utf8 xunicode20utf8",
    "utf-16le": "csunicode iso10646ucs2 ucs2 unicode unicodefeff utf16 utf16le",
    "utf-16be": "unicodefffe utf16be",
    "gb18030": "chinese csgb2312 csiso58gb231280 gb18030 gb2312 gb231280 gbk isoir58 xgbk cp936 euccn",
    "big5": "big5 big5hkscs cnbig5 csbig5 xxbig5 cp950",
    "euc-jp": "cseucpkdfmtjapanese eucjp xeucjp",
    "iso-2022-jp": "csiso2022jp iso2022jp",
    "iso-2022-kr": "csiso2022kr iso2022kr",
    "hz-gb-2312": "hzgb2312",
    "shift_jis": "csshiftjis ms932 mskanji shiftjis sjis windows31j xsjis cp932",
    "euc-kr": "cseuckr csksc56011987 euckr isoir149 korean ksc56011987 ksc56011989 ksc5601 windows949 cp949 "
    "uhc",
    "ibm866": "866 cp866 csibm866 ibm866",
    "koi8-r": "cskoi8r koi koi8 koi8r",
    "koi8-u": "koi8ru koi8u",
    "macintosh": "csmacintosh mac macintosh macroman xmacroman",
    "x-mac-cyrillic": "maccyrillic xmaccyrillic xmacukrainian",
    "iso-8859-2": "csisolatin2 iso88592 iso885921987 isoir101 l2 latin2",
    "iso-8859-3": "csisolatin3 iso88593 iso885931988 isoir109 l3 latin3",
    "iso-8859-4": "csisolatin4 iso88594 iso885941988 isoir110 l4 latin4",
    "iso-8859-5": "csisolatincyrillic cyrillic iso88595 iso885951988 isoir144",
    "iso-8859-6": "arabic asmo708 csiso88596e csiso88596i csisolatinarabic ecma114 iso88596 iso885961987 "
    "iso88596e iso88596i isoir127",
    "iso-8859-7": "csisolatingreek ecma118 elot928 greek greek8 iso88597 iso885971987 isoir126 suneugreek",
    "iso-8859-8": "csiso88598e csiso88598i csisolatinhebrew hebrew iso88598 iso885981988 iso88598e iso88598i "
    "isoir138 logical visual",
    "iso-8859-10": "csisolatin6 iso885910 isoir157 l6 latin6",
    "iso-8859-13": "iso885913",
    "iso-8859-14": "iso885914",
    "iso-8859-15": "csisolatin9 iso885915 l9 latin9",
    "iso-8859-16": "iso885916",
    "windows-874": "cp874 dos874 iso885911 tis620 windows874",
    "windows-1252": "ansix341968 ascii cp819 csisolatin1 ibm819 iso88591 iso885911987 isoir100 l1 latin1 "
    "usascii xuserdefined",
    "windows-1254": "csisolatin5 iso88599 iso885991989 isoir148 l5 latin5",
} | {f"windows-{n}": f"cp{n} win{n} windows{n} xcp{n}" for n in (1250, 1251, 1253, 1255, 1256, 1257, 1258)}
_LABELS["windows-1252"] += " cp1252 win1252 windows1252 xcp1252"
_LABELS["windows-1254"] += " cp1254 win1254 windows1254 xcp1254"
_NAMES = {label: name for name, labels in _LABELS.items() for label in labels.split()}


def name_of(label: str) -> str:
    """The standard's name of a charset label: 'Latin1' -> 'windows-1252'; empty for an unknown one."""
    return _NAMES.get("".join(filter(str.isalnum, label.lower())), "")

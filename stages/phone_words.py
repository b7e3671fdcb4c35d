"""Words and signs around phone numbers, in many languages and in lower case.

Words of Latin, Greek and Cyrillic stand apart; those of other scripts may follow one another without a space.
"""

import re

# What announces a phone number.
_ANNOUNCE = (
    "tel tél tels ph phone phones telephone telephones téléphone telefon telefone telefono teléfono "
    "teléfonos telefoon telefoonnummer telefonnummer telefoni tfno tlf tlfn tfn puh puhelin telp telepon "
    "thoại đt sđt sdt mobile mobil mobiltelefon mob móvil movil celular cell cellphone cellulare "
    "portable gsm handy fax faxnummer telefax telefaks faks hotline helpline whatsapp viber sms call "
    "ring dial appelez llame llámenos llama ligue anrufen rufnummer toll freephone landline text komórka "
    "kom τηλ τηλέφωνο φαξ κινητό тел телефон телефоны телефону телефона телефонам моб мобильный факс "
    "звоните звонить позвоните ватсап вацап"
)
ANNOUNCE = frozenset(_ANNOUNCE.split())
# The same in scripts whose words may be joined.
_ANNOUNCE_JOINED = (
    "电话 電話 手机 手機 手机号 手機號 传真 傳真 热线 熱線 联系方式 聯絡方式 联系人 致电 致電 座机 咨询 "
    "諮詢 客服 专线 專線 携帯 ファックス ファクス フリーダイヤル お問い合わせ お問合せ 전화 전화번호 "
    "휴대폰 핸드폰 휴대전화 연락처 팩스 고객센터 고객지원 대표번호 문의 โทร โทรศัพท์ มือถือ แฟกซ์ เบอร์ هاتف "
    "الهاتف تلفون جوال الجوال موبايل فاكس الفاكس واتساب واتس اتصل للتواصل للاتصال تلفن موبایل फोन फ़ोन "
    "मोबाइल दूरभाष टेलीफोन फैक्स संपर्क טלפון טל נייד פקס ফোন মোবাইল ☎ ☏ ✆ 📞 📱 📲 📠 ☎️"
)
ANNOUNCE_JOINED = tuple(_ANNOUNCE_JOINED.split())
LETTERS = frozenset("tpfm")  # with a colon: "T: 030 1234"

# What may stand between such a word and its number.
_FILL = (
    "number numbers contact contacts direct no nos nr num numéro número numero nummer us "
    "me at on is or and now today free unter "
    "oder und y al o ou au et e ao и по или нам номер номеру i og och of w lub a nebo veya dan atau office"
)
FILL = frozenset(_FILL.split())
# The same in other scripts.
_FILL_JOINED = "号码 號碼 番号 번호 号 はこちら ติดต่อ नंबर رقم على شماره 为 為 是 或 和 또는"
FILL_JOINED = tuple(_FILL_JOINED.split())

# What says that another number follows.
_DENY = (
    "isbn issn ean upc gtin asin imei sku oem mpn order orders invoice item model part ref reference art "
    "artikel article id uid uin qq icq vat nip regon krs siret siren inn ogrn kpp doi pmid arxiv serial "
    "patent case docket tracking account acct konto kontonr iban bic blz swift no nr num number code инн "
    "огрн огрнип кпп бик окпо снилс арт артикул заказ n nº"
)
DENY = frozenset(_DENY.split())
# The same in other scripts.
_DENY_JOINED = (
    "订单 訂單 订单号 訂單號 单号 單號 编号 編號 工号 群 群号 备 证号 證號 许可证 字第 账号 帳號 賬號 "
    "卡号 卡號 学号 股票 代码 代碼 型号 型號 注文番号 商品番号 品番 登録番号 許可 第 사업자등록번호 "
    "통신판매 등록번호 계좌 계좌번호 주문번호 상품번호 № # р/с к/с"
)
DENY_JOINED = tuple(_DENY_JOINED.split())

# What a number that stands before it counts.
COUNTED = re.compile(
    r" ?(?:[元円圆块人次个個条條件万萬億亿千年月名位票회원명개건]|원|руб|тыс|%|kg|km|usd|eur)", re.IGNORECASE
)

# Where the letters around a number say whose it may be.
SCRIPTS = (
    (re.compile("[ぁ-ヿ]"), "JP"),
    (re.compile("[가-힣]"), "KR"),
    (re.compile("[一-鿿]"), "CN"),
    (re.compile("[а-яё]", re.IGNORECASE), "RU"),
    (re.compile("[а-яё]", re.IGNORECASE), "UA"),
    (re.compile("[ก-๛]"), "TH"),
    (re.compile("[अ-ह]"), "IN"),
    (re.compile("[א-ת]"), "IL"),
)

# Whose numbers a page in a language gives without a country code.
LANGUAGES = {
    "bg": ("BG",),
    "cs": ("CZ",),
    "da": ("DK",),
    "de": ("DE", "AT", "CH"),
    "el": ("GR",),
    "en": ("US", "GB"),
    "es": ("ES", "MX", "AR", "CO"),
    "fa": ("IR",),
    "fi": ("FI",),
    "fr": ("FR", "BE", "CH"),
    "he": ("IL",),
    "hi": ("IN",),
    "hu": ("HU",),
    "id": ("ID",),
    "it": ("IT",),
    "ja": ("JP",),
    "ko": ("KR",),
    "ms": ("MY",),
    "nl": ("NL", "BE"),
    "no": ("NO",),
    "pl": ("PL",),
    "pt": ("BR", "PT"),
    "ro": ("RO",),
    "ru": ("RU", "UA"),
    "sk": ("SK",),
    "sv": ("SE",),
    "th": ("TH",),
    "tr": ("TR",),
    "uk": ("UA",),
    "vi": ("VN",),
    "zh": ("CN", "TW"),
}

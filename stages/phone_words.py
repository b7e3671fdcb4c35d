"""Words and signs around phone numbers, in many languages."""

import re

# Words of these scripts stand apart; those of others may follow one another without a space.
_BEGIN = r"(?<![a-zà-ɏͰ-ӿ])"
_END = r"(?![a-zà-ɏͰ-ӿ])"

# What announces a phone number.
ANNOUNCE = (
    rf"{_BEGIN}(?:tel|tél|tels|ph|phone|phones|telephone|telephones|téléphone|telefon|telefone|telefono|"
    r"teléfono|teléfonos|telefoon|telefoonnummer|telefonnummer|telefoni|tfno|tlf|tlfn|tfn|puh|puhelin|telp|"
    r"telepon|no hp|điện thoại|đt|sđt|sdt|mobile|mobil|mobiltelefon|mob|móvil|movil|celular|cell|"
    r"cellphone|cellulare|portable|gsm|handy|fax|faxnummer|telefax|telefaks|faks|hotline|helpline|whatsapp|"
    r"whats app|viber|sms|call|ring|dial|appelez|llame|llámenos|llama al|ligue|anrufen|rufnummer|"
    r"toll[ -]free|freephone|office|landline|text|komórka|kom|cep|τηλ|τηλέφωνο|φαξ|κινητό|"
    r"тел|телефон|телефоны|телефону|телефона|телефонам|т|моб|мобильный|мобильный телефон|факс|звоните|"
    rf"звонить|позвоните|ватсап|вацап|whatsapp business|[tpfm](?=:)){_END}"
    r"|(?:电话|電話|手机|手機|手机号|手機號|传真|傳真|热线|熱線|联系方式|聯絡方式|联系人|致电|致電|座机|"
    r"咨询|諮詢|客服|专线|專線|携帯|ファックス|ファクス|フリーダイヤル|お問い合わせ|お問合せ|전화|전화번호|"
    r"휴대폰|핸드폰|휴대전화|연락처|팩스|고객센터|대표번호|문의|โทร|โทรศัพท์|มือถือ|แฟกซ์|เบอร์|"
    r"هاتف|الهاتف|تلفون|جوال|الجوال|موبايل|فاكس|الفاكس|واتساب|واتس|اتصل|للتواصل|للاتصال|تلفن|موبایل|"
    r"فون|फोन|फ़ोन|मोबाइल|दूरभाष|टेलीफोन|फैक्स|संपर्क|טלפון|טל|נייד|פקס|ফোন|মোবাইল|☎|☏|✆|📞|📱|📲|📠)"
)

# What may stand between such a word and its number.
_FILLERS = (
    r"number|numbers|no|nos|nr|num|numéro|número|numero|nummer|us|me|at|on|is|or|and|now|today|toll|free|"
    r"fax|mobile|unter|oder|und|y|al|o|ou|au|et|e|ao|и|по|или|номер|номеру|号码|號碼|番号|번호|号|はこちら|"
    r"รายละเอียด|ติดต่อ|नंबर|رقم|على|شماره|i|og|och|of|w|lub|a|nebo|veya|dan|atau|为|為|是"
)
BETWEEN = (
    rf"(?P<between>(?:[\s:：.,;|/()\[\]*_=–—\-+'’`\"<>]|<[A-Z_]+>|{_BEGIN}(?:{_FILLERS}){_END}){{0,12}})"
)

# What says that another number follows.
DENY = (
    rf"{_BEGIN}(?:isbn|issn|ean|upc|gtin|asin|imei|sku|oem|mpn|order|order no|invoice|item|model|part|ref|"
    r"reference|art|artikel|article|id|uid|uin|qq|icq|vat|nip|regon|krs|siret|siren|inn|ogrn|kpp|doi|pmid|"
    r"arxiv|serial|patent|case|docket|tracking|account|acct|konto|kontonr|iban|bic|blz|swift|no|nr|num|"
    r"number|code|инн|огрн|огрнип|кпп|бик|р/с|к/с|окпо|снилс|арт|артикул|заказ|№|n°|nº|#)"
    r"|订单|訂單|单号|單號|编号|編號|工号|群|号码为|备|證號|证号|许可证|字第|账号|帳號|賬號|卡号|卡號|学号|"
    r"股票|代码|代碼|型号|型號|注文番号|商品番号|品番|登録番号|許可|第|사업자등록번호|통신판매|등록번호|"
    r"계좌|주문번호|상품번호"
)

# What a number that stands before it counts.
COUNTED = r"[元円圆块人次个個条條件万萬億亿千年月名位票회원명개건]|원|руб|тыс|%|kg|km|usd|eur"

# Where the letters around a number say whose it may be.
SCRIPTS = (
    (re.compile("[ぁ-ヿ]"), "JP"),
    (re.compile("[가-힣]"), "KR"),
    (re.compile("[一-鿿]"), "CN"),
    (re.compile("[а-яё]", re.IGNORECASE), "RU"),
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
    "ru": ("RU",),
    "sk": ("SK",),
    "sv": ("SE",),
    "th": ("TH",),
    "tr": ("TR",),
    "uk": ("UA",),
    "vi": ("VN",),
    "zh": ("CN", "TW"),
}

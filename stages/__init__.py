"""What happens to documents: one file, one stage, one verb. The table of contents, in the usual order."""

from pipeline.stage import Stage
from stages.clean_lines import CleanLines
from stages.contamination import Contamination
from stages.count_grams import CountGrams
from stages.decontaminate import Decontaminate
from stages.deduplicate import Deduplicate
from stages.drop_copies import DropCopies
from stages.drop_recrawls import DropRecrawls
from stages.drop_repeated import DropRepeated
from stages.encode import Encode
from stages.extract import Extract
from stages.heuristics import Heuristics
from stages.ingest import Ingest
from stages.language import Language
from stages.links import Links
from stages.locate import Locate
from stages.mix import Mix
from stages.quality import Quality
from stages.redact import Redact
from stages.refine import Refine
from stages.save_raw import SaveRaw
from stages.train_quality import TrainQuality
from stages.train_tokenizer import TrainTokenizer
from stages.urls import Urls
from stages.wordlist import Wordlist

STAGES: dict[str, type[Stage]] = {
    "links": Links,
    "locate": Locate,
    "extract": Extract,
    "ingest": Ingest,
    "urls": Urls,
    "language": Language,
    "clean_lines": CleanLines,
    "heuristics": Heuristics,
    "wordlist": Wordlist,
    "train_quality": TrainQuality,
    "quality": Quality,
    "save_raw": SaveRaw,
    "drop_recrawls": DropRecrawls,
    "drop_copies": DropCopies,
    "deduplicate": Deduplicate,
    "drop_repeated": DropRepeated,
    "refine": Refine,
    "redact": Redact,
    "count_grams": CountGrams,
    "decontaminate": Decontaminate,
    "contamination": Contamination,
    "train_tokenizer": TrainTokenizer,
    "encode": Encode,
    "mix": Mix,
}

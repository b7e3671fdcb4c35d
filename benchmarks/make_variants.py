"""Write classifiers/variants.npz: the simplified form of each traditional Han character, packed.

    python -m benchmarks.make_variants TSCharacters.txt

The file is OpenCC's dictionary (Apache License 2.0): a traditional character, a tab, its simplified forms
with blanks between them, the usual one first. Terms then change: raise the version of the stages that train
and score with them.
"""

import sys
from pathlib import Path

import numpy as np

from classifiers import terms


def main(path: str) -> None:
    """Characters of the Basic Multilingual Plane that have another form; a form of a form is followed."""
    forms = {}
    for line in Path(path).read_text(encoding="utf-8").splitlines():
        traditional, _, simplified = line.partition("\t")
        forms[traditional] = simplified.split(" ")[0]
    pairs = []
    for traditional in sorted(forms):
        seen = [traditional]
        while (form := forms.get(seen[-1], seen[-1])) not in seen:
            seen.append(form)
        if len(seen) > 1 and all(len(each) == 1 and "\u3400" <= each < "\ua000" for each in seen):
            pairs.append((ord(traditional), ord(seen[-1])))
    found = np.array(pairs, np.uint16)
    np.savez_compressed(Path(terms.__file__).with_name("variants.npz"), pairs=found)
    print(f"{len(found)} characters")


if __name__ == "__main__":
    main(sys.argv[1])

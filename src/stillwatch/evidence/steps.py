"""Written steps by which anybody checks a package, with the verifier or with OpenSSL and shell tools alone."""

from __future__ import annotations

STEPS = r"""# How to check this package

You need nothing from us but our public keys, which you should have got from us in person or from our web site, not
from this package, and, for timestamps, the root certificate of the authority.

## With Python

    python3 -m pip install cryptography
    python3 data/verify_package.py . --key ../acquirer.pem{reviewer}{root}

It prints what holds, or the first thing that does not. Read it first: it is one file. If you do not trust the copy in
this package, take it from a release of stillwatch.

## With OpenSSL and shell tools alone

Run these in the folder of the package, with the keys and the root certificate beside it. `$` is your prompt.

1. The files are those that are listed, none is missing, and nothing lies beside them. In `seal` lie the statement, the
   timestamps and `log.json` that the statement promises, and nothing else:

       $ sha256sum --check --strict manifest-sha256.txt
       $ sha256sum --check --strict tagmanifest-sha256.txt
       $ find data -type f | LC_ALL=C sort | diff - <(cut -c67- manifest-sha256.txt | LC_ALL=C sort)
       $ find . -path ./data -prune -o -path ./seal -prune -o -type f -print | LC_ALL=C sort > ../beside
       $ printf './%s.txt\n' bag-info bagit manifest-sha256 manifest-sha512 tagmanifest-sha256 | diff - ../beside
       $ ls seal

2. The statement is about these lists. Take it out of its envelope, and compare the four digests in it:

       $ sed -E 's/.*"payload":"([^"]*)".*/\1/' seal/statement.dsse.json | base64 -d > ../statement.json
       $ grep -oE '"sha256":"[0-9a-f]+"\}},"name":"[^"]+"' ../statement.json > ../subjects
       $ cut -d'"' -f4,8 ../subjects | sed 's/"/  /' > ../lists
       $ test $(wc -l < ../lists) = 4 && sha256sum --check --strict ../lists

3. Whoever signed it is whom you trust. A DSSE signature is made over a prefix, the lengths and the statement:

       $ printf 'DSSEv1 28 application/vnd.in-toto+json %s ' $(wc -c < ../statement.json) > ../pae
       $ cat ../statement.json >> ../pae
       $ grep -oE '"sig":"[^"]+"' seal/statement.dsse.json | sed -n 1p | cut -d'"' -f4 | base64 -d > ../sig
       $ openssl pkeyutl -verify -pubin -inkey ../acquirer.pem -rawin -in ../pae -sigfile ../sig
{second}
4. It existed at the time of the timestamps. The statement says under `timestamps_needed` how many there are; for each:

       $ openssl ts -verify -data seal/statement.dsse.json -in seal/timestamp-1.tsr -CAfile ../tsa-root.pem
       $ openssl ts -reply -in seal/timestamp-1.tsr -text | grep 'Time stamp'

5. It is in the log. `seal/log.json` holds the leaf, its place, the proof and the checkpoint that the log signed. The
   arithmetic is that of RFC 9162, section 2.1.3.2; `openssl dgst -sha256 -binary` does each of its steps.

## What a check says, and what it does not

That nothing was changed since these people signed, that it existed then, and that they cannot have shown somebody else
another version under the same log without being found out. It does not say that what is claimed is true. For that, the
claims name their exhibits, the method names its error rates and assumptions, and where the inputs were preserved
`stillwatch evidence recompute` runs the detection again and compares.
"""


_SECOND = """
       $ grep -oE '"sig":"[^"]+"' seal/statement.dsse.json | sed -n 2p | cut -d'"' -f4 | base64 -d > ../sig
       $ openssl pkeyutl -verify -pubin -inkey ../reviewer.pem -rawin -in ../pae -sigfile ../sig
"""


def steps(signatures: int, timestamps: int) -> str:
    """The steps, for a package with so many signatures and timestamps."""
    two = signatures > 1
    return STEPS.format(
        reviewer=" --key ../reviewer.pem" if two else "", root=" --tsa-root ../tsa-root.pem" if timestamps else "",
        second=_SECOND if two else "",
    )  # fmt: skip

"""Any log to exchanges: recognise it, stream it, and say what could not be read.

>>> import io
>>> log = io.BytesIO(b'{"exchange_id":"e","started_at":"2026-11-24T04:14:50Z","account_id":"a","model":"m"}')
>>> reader = Reader(["-"], stdin=log)
>>> sum(batch.num_rows for batch in reader.batches())
1
>>> reader.recognised[0].format
'canonical'
"""

from stillwatch.ingest.accounts import read_accounts
from stillwatch.ingest.assemble import from_rows
from stillwatch.ingest.checks import Limits
from stillwatch.ingest.derive import derive_text
from stillwatch.ingest.format import Format
from stillwatch.ingest.formats.otlp_calls import SERVICE
from stillwatch.ingest.grants import read_grants
from stillwatch.ingest.posted import PostBounds, Posted, Unusable, read_posted
from stillwatch.ingest.reader import KEPT_REJECTED, Counts, Reader
from stillwatch.ingest.recognise import Recognised
from stillwatch.ingest.refusal import SKIPPED, Refusal
from stillwatch.ingest.registry import FORMATS
from stillwatch.ingest.releases import read_client_releases, read_releases
from stillwatch.ingest.source import KEPT, REJECTED, Source, find_sources

__all__ = [
    "FORMATS",
    "KEPT",
    "KEPT_REJECTED",
    "REJECTED",
    "SERVICE",
    "SKIPPED",
    "Counts",
    "Format",
    "Limits",
    "PostBounds",
    "Posted",
    "Reader",
    "Recognised",
    "Refusal",
    "Source",
    "Unusable",
    "derive_text",
    "find_sources",
    "from_rows",
    "read_accounts",
    "read_client_releases",
    "read_grants",
    "read_posted",
    "read_releases",
]

"""What pages draw: places are computed here, so that a drawing is the same every time and works without script."""

from stillwatch.console.drawings.accounts import AccountGraph, account_graph
from stillwatch.console.drawings.bars import bars, span
from stillwatch.console.drawings.exchanges import Exchanges, exchanges

__all__ = ["AccountGraph", "Exchanges", "account_graph", "bars", "exchanges", "span"]

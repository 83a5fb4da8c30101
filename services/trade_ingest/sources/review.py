"""`in.review.<shop>.trade`: reviews (评价) with score and text, as CloudEvents of the contract. Pure.

The platforms' own messages say that somebody has reviewed and not what (feeds.md, `TradeRated`); whoever reads the
review pages says the rest here. They show nicks, mostly masked: the buyer is then the order's.
"""

from schemas.review import ReviewChanged, ReviewPosted, ReviewReplied
from services.kernel.canonical import canonical, contract_types
from services.trade_ingest.sources.kinds import only

TYPES = (ReviewPosted, ReviewChanged, ReviewReplied)

translate = only("trade", canonical(contract_types(*TYPES), buyer_optional=True))

"""The service as a whole: what it is made of."""

from services.kernel.service import Service
from services.projections import chat_history, order_timeline

SERVICE = Service(
    name="projections",
    projections=[order_timeline.PROJECTION, chat_history.PROJECTION],
    queries=[*order_timeline.QUERIES, *chat_history.QUERIES],
)

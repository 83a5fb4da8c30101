"""`in.courier.<shop>.trade`: what a courier (快递) says of parcels, as CloudEvents of the contract. Pure.

A courier's bridge knows the order and its parcel from the shop's consignment, and hardly ever the buyer: the order's is
taken. `order.arrived` is the courier's own word that the parcel is in the receiver's city.
"""

from schemas.order import (
    OrderArrived,
    OrderParcelException,
    OrderParcelMoved,
    OrderPickupScanned,
    OrderRejected,
    OrderSigned,
)
from services.kernel.canonical import canonical, contract_types
from services.trade_ingest.sources.kinds import only

TYPES = (OrderPickupScanned, OrderParcelMoved, OrderArrived, OrderSigned, OrderRejected, OrderParcelException)

translate = only("trade", canonical(contract_types(*TYPES), buyer_optional=True))

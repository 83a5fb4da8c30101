"""The service as a whole: what it is made of."""

from services.aftersales import case
from services.kernel.process import process_of
from services.kernel.service import Service

SERVICE = Service(name="aftersales", processes=[process_of(case)])

"""The service as a whole: what it is made of."""

from services.kernel.service import Service

SERVICE = Service(name="aftersales")

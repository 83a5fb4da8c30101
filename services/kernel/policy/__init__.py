"""All numbers are policy (domain.md): one typed value, overridden by files, its changes told in the log."""

from services.kernel.policy.change import changed, from_event
from services.kernel.policy.directory import Policies, read_directory
from services.kernel.policy.load import PolicyError, default_policy, load
from services.kernel.policy.model import Policy, digest

__all__ = [
    "Policies",
    "Policy",
    "PolicyError",
    "changed",
    "default_policy",
    "digest",
    "from_event",
    "load",
    "read_directory",
]

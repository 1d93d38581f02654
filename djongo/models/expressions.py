"""Values of lookups and updates that are more than a value."""

from django.db.models import Q


class ElemMatch:
    """For `authors__elem_match=ElemMatch(Q(..))` where a QuerySet of another kind would resolve the Q itself."""

    def __init__(self, *args, **kwargs):
        self.q = Q(*args, **kwargs)

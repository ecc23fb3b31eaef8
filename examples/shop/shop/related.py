"""Which other products go with a product."""

from collections.abc import Mapping, Sequence


def merge_candidates(sources: Sequence[Sequence[int]], *, exclude: int) -> list[int]:
    """Join lists of product ids, best source first, keeping the first place of each product."""
    merged: list[int] = []
    for source in sources:
        for product_id in source:
            if product_id != exclude and product_id not in merged:
                merged.append(product_id)
    return merged


def rank_by_tags(
    candidates: Sequence[int], *, tags: Sequence[str], tags_of: Mapping[int, Sequence[str]]
) -> list[int]:
    """Order candidates by the number of tags that they share with the product."""

    def shared(product_id: int) -> int:
        return len([tag for tag in tags if tag in tags_of.get(product_id, ())])

    return sorted(candidates, key=shared, reverse=True)

"""Operations on masks, and the checks that a tagger uses its mask."""

"""What tokens cost: published prices as rows of ``model_prices``."""

"""Where things run: the ports that the steps use, and one package for each platform behind them."""

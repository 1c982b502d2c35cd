"""What the user wrote: the experiment file and its overlays, flows, variants, datasets, fingerprints."""

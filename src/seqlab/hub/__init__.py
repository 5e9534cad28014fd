"""Pretrained encoders: their files, tokenizers and backbones, by KerasHub."""

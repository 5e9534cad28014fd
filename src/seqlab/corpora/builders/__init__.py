"""TensorFlow Datasets builders. Everything here imports tensorflow_datasets: import it where it is used."""

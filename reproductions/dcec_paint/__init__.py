"""Paintings grouped by how they look, by an autoencoder and a clustering that are learnt together.

Castellano, Vessio: Deep Convolutional Embedding for Digitized Painting Clustering (DCEC-Paint). ICPR 2020.
Guo, Liu, Zhu, Yin: Deep Clustering with Convolutional Autoencoders (DCEC). ICONIP 2017.
West: a working paper that applies DCEC-Paint to 10,505 works sold at auction; the numbers below are its numbers.

Claim: learning the embedding and the clusters jointly gives clusters further apart than k-means on the embedding of the
same autoencoder, and a person who looks at them sees what they have in common.

    python -m reproductions.dcec_paint                             # the embedded atelier, no download, minutes
    python -m reproductions.dcec_paint --gamma 0.9 --k 6           # six clusters
    python -m reproductions.dcec_paint --data FOLDER_OR_CSV        # yours, by a schedule that two cores can pay
    python -m reproductions.dcec_paint --preset paint --data FOLDER_OR_CSV --dry_run     # the paper's: hours for each k
    python -m reproductions.dcec_paint --preset guo                # handwritten digits, whose true clusters are known
    python -m reproductions.dcec_paint predict RUN FOLDER --out assignments.csv

Expected: silhouette and Calinski-Harabasz of DCEC far above k-means in the learned space, because that space was
trained for it; so both are printed in spaces that were not, too.

Departures and readings (`--preset paint` follows the paper, `guo` and `west` the code of theirs):
1. gamma: five statements contradict each other, the codes agree: here gamma weighs the clustering loss,
   L = (1 - gamma) L_r + gamma L_c; Guo's is L_r + gamma L_c (`--convention guo`). L_r is averaged over pixels, L_c
   summed over clusters, both averaged over images.
2. Order of the images: in the joint training the codes go through the collection as it is sorted (`--order fixed`),
   which in a folder of artists makes batches of one artist. Ours shuffles; `guo` and `west` do not. Pretraining
   shuffles everywhere.
3. "SGD" in the texts is Adam at 0.001 in all codes, for both phases.
4. Embedding and output are linear in all codes, where the text says ELU throughout.
5. k-means is seeded. "Pixels" for the baselines are pictures averaged down to at most 32 pixels a side.
6. Calinski-Harabasz has (N - k) / (k - 1); West's formula prints N - 1, his numbers come from code that has N - k.
7. West's gap statistic is R's clusGap on distances; ours is Tibshirani's on squared ones.
8. Weights clustered: the papers take those of the last epoch of pretraining, `demo` and `study` those of the smallest
   loss, because with Adam at 0.001 it can leap within an epoch to many times what it was (`--keep`).
9. MNIST and West's pictures have to be downloaded: `guo` takes scikit-learn's digits, scaled to MNIST's 28 pixels, and
   `west` and `paint` take --data.
10. West shows k = 8 and k = 3, of the largest silhouette and Calinski-Harabasz in the learned space; pages and figures
    here show the k of the largest on principal components of the pixels, where nothing was trained to cluster.
"""

from __future__ import annotations

from keras_art.commands.machine import Reproduction
from reproductions.dcec_paint import figures, study, tables

REPRODUCTION = Reproduction(
    name="dcec_paint",
    doc=__doc__,
    study=study.Study,
    presets=study.PRESETS,
    check=study.check,
    collections=study.collections,
    runs=study.runs,
    tables=tables.tables_of,
    figures=figures.draw,
    files=study.files,
    begin=study.begin,
    printed=(tables.TABLE_SCORES, tables.TABLE_CH, tables.TABLE_CONTINGENCY, tables.TABLE_ARTISTS),
    bibtex="""
@inproceedings{castellano2020deep,
  author    = {Castellano, Giovanna and Vessio, Gennaro},
  title     = {Deep Convolutional Embedding for Digitized Painting Clustering},
  booktitle = {25th International Conference on Pattern Recognition (ICPR)},
  year      = {2020},
  note      = {arXiv:2003.08597},
}

@inproceedings{guo2017deep,
  author    = {Guo, Xifeng and Liu, Xinwang and Zhu, En and Yin, Jianping},
  title     = {Deep Clustering with Convolutional Autoencoders},
  booktitle = {Neural Information Processing (ICONIP)},
  pages     = {373--382},
  year      = {2017},
}
""",
)

#!/usr/bin/env bash
# German without its capitals: a tagger says of each word whether it had one, many to many of the same length.
# recipes/tagging/run.sh [override ...] reads $SEQ2SEQ_DATA/tatoeba_en_de and writes to run=, by default runs/tagging below the current folder.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
run=runs/tagging
. "$(dirname "$0")/../run_folder.sh"

python "$here/data.py" "${SEQ2SEQ_DATA:?names the folder of corpora}/tatoeba_en_de" "$run/text"
data=(corpus=files "corpus.path=$run/text" 'corpus.directions=[text-case]' tokenizer.vocab_size=4000 "cache=$run/cache")
small=(model.width=128 encoder.layers=2 encoder.feed_forward=0 sublayer.dropout=0.1)
budget=(loader.max_tokens=2000 trainer.accumulation=2 trainer.cores=2 trainer.label_smoothing=0 trainer.updates=2000 trainer.validate_every=500
    trainer.report_every=200 trainer.ema_decay=0.99 schedule.warmup=100)
seq2seq train_tagger "run=$run" "${data[@]}" "${small[@]}" "${budget[@]}" "$@"

echo 'wir essen das essen in der kantine .' | seq2seq label "model=$run"
seq2seq label "model=$run" "input=$run/text/test.text" "output=$run/test.case" "references=$run/text/test.case"
python "$here/summary.py" "$run" # prints the table and writes results.json

#!/usr/bin/env bash
# Few pairs, more German: 10,000 pairs and 19,000 German lines, which a model of the other direction translates back (Sennrich et
# al. 2016), marked by a tag or not (Caswell et al. 2019).
# recipes/back_translation/run.sh [override ...] reads $SEQ2SEQ_DATA/multi30k and writes to run=, by default runs/back_translation below the current folder.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
run=runs/back_translation
. "$(dirname "$0")/../run_folder.sh"

python "$here/data.py" split "${SEQ2SEQ_DATA:?names the folder of corpora}/multi30k" "$run/text"
data=(corpus=files tokenizer.vocab_size=3000 'tokenizer.source_tags=[BT]' "cache=$run/cache")
small=(model.width=128 encoder.layers=1 decoder.layers=1 sublayer.dropout=0.1 loader.max_tokens=400 schedule.warmup=300 trainer.ema_decay=0.998
    trainer.validate_every=500 trainer.report_every=100)
seq2seq train "run=$run/back" "corpus.path=$run/text/pairs" 'corpus.directions=[de-en]' "${data[@]}" "${small[@]}" trainer.updates=2000 "$@"
seq2seq translate "model=$run/back" source=de target=en "input=$run/text/mono.de" "output=$run/text/mono.en" || [ $? = 3 ] # some came out truncated

python "$here/data.py" mix "$run/text" # pairs and synthetic pairs: text/untagged and text/tagged
for text in pairs untagged tagged; do
    seq2seq train "run=$run/$text" "corpus.path=$run/text/$text" 'corpus.directions=[en-de]' 'corpus.test=[test_2016]' "${data[@]}" "${small[@]}" \
        trainer.updates=1500 "$@"
    seq2seq evaluate "model=$run/$text"
done
python "$here/summary.py" "$run" # prints the table and writes results.json

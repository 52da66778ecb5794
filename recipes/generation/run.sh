#!/usr/bin/env bash
# One to many: from a language to a sentence in it, judged by a classifier; from the digits of a number to its German words.
# recipes/generation/run.sh [override ...] reads $SEQ2SEQ_DATA/tatoeba_multi4 and writes to run=, by default runs/generation below the current folder.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
run=runs/generation
. "$(dirname "$0")/../run_folder.sh"

python "$here/data.py" "${SEQ2SEQ_DATA:?names the folder of corpora}/tatoeba_multi4" "$run/text"
phrases=(corpus=files "corpus.path=$run/text/phrases" tokenizer.vocab_size=2000 "cache=$run/cache")
budget=(trainer.accumulation=2 trainer.cores=2 trainer.report_every=200 trainer.ema_decay=0.99 schedule.warmup=100)
small=(decoder.layers=1 decoder.feed_forward=0 loader.max_tokens=1000)
seq2seq train_generator "run=$run/phrases_model" "${phrases[@]}" 'corpus.directions=[label-text]' "${small[@]}" "${budget[@]}" \
    model.width=192 sublayer.dropout=0.1 trainer.updates=1500 trainer.validate_every=500 "$@"
seq2seq train_classifier "run=$run/languages_model" "${phrases[@]}" 'corpus.directions=[text-label]' model.width=64 encoder.layers=1 \
    "${budget[@]}" trainer.updates=300 trainer.validate_every=150 "$@"
seq2seq generate "model=$run/phrases_model" "input=$run/text/phrases/asked.label" "output=$run/phrases.text" search=sampling search.temperature=0.5
seq2seq label "model=$run/languages_model" "input=$run/phrases.text" "output=$run/recognised.label" "references=$run/text/phrases/asked.label" "results=$run/recognised.json"

numbers=(corpus=files "corpus.path=$run/text/numbers" 'corpus.directions=[digits-text]' condition=numbers tokenizer=characters "cache=$run/cache")
seq2seq train_generator "run=$run/numbers_model" "${numbers[@]}" model.width=128 model.word_dropout=0 model.embedding_dropout=0 \
    sublayer.dropout=0 "${small[@]}" "${budget[@]}" trainer.label_smoothing=0 trainer.metric=exact trainer.updates=1000 trainer.validate_every=250 "$@"
seq2seq generate "model=$run/numbers_model" "input=$run/text/numbers/test.digits" "output=$run/numbers.text" search=greedy
python "$here/summary.py" "$run" # prints the figures and writes results.json

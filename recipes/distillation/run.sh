#!/usr/bin/env bash
# Sequence-level knowledge distillation (Kim & Rush 2016): a small student learns from what a teacher makes of the training
# sources with beam search, beside the same student that learns from the references.
# recipes/distillation/run.sh [override ...] reads $SEQ2SEQ_DATA/multi30k and writes to run=, by default runs/distillation below the current folder.
# TEACHER=runs/multi30k_en_de spares the teacher's training.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
run=runs/distillation
. "$(dirname "$0")/../run_folder.sh"
teacher=${TEACHER:-$run/teacher}

python "$here/data.py" "${SEQ2SEQ_DATA:?names the folder of corpora}/multi30k" "$run/text"
data=(corpus=files 'corpus.directions=[en-de]' 'corpus.test=[test_2016]' "cache=$run/cache")
budget=(loader.max_tokens=400 schedule.warmup=400 trainer.ema_decay=0.998 trainer.updates=1500 trainer.validate_every=500 trainer.report_every=100)
[ -n "${TEACHER:-}" ] || seq2seq train "run=$teacher" "corpus.path=$run/text/references" tokenizer.vocab_size=6000 "${data[@]}" "${budget[@]}" \
    trainer.updates=3000 "$@"
seq2seq evaluate "model=$teacher" corpus=files "corpus.path=$run/text/references" 'corpus.directions=[en-de]' 'corpus.test=[test_2016]' "output=$run/teacher"
seq2seq translate "model=$teacher" source=en target=de "input=$run/text/references/train.en" "output=$run/text/distilled/train.de" || [ $? = 3 ] # some came out truncated

small=(model.width=128 encoder.layers=1 decoder.layers=1 sublayer.dropout=0.1 tokenizer=existing "tokenizer.folder=$teacher")
for text in references distilled; do
    seq2seq train "run=$run/$text" "corpus.path=$run/text/$text" "${data[@]}" "${small[@]}" "${budget[@]}" "$@"
    for search in beam greedy; do seq2seq evaluate "model=$run/$text" search=$search "output=$run/$text/$search"; done
done
python "$here/summary.py" "$run" "$teacher" # prints the table and writes results.json

# Sourced by the recipes: `run=FOLDER` among the overrides names the folder of the whole script, so it leaves the list.
overrides=()
for override in "$@"; do
    case $override in
    run=*) run=${override#run=} ;;
    *) overrides+=("$override") ;;
    esac
done
run=${run/#\~\//${HOME:-\~}/}
set -- ${overrides[@]+"${overrides[@]}"}

# bash completion, as the shell would ask for it.

setup() {
    load common
    PATH=$BUILD:$PATH
    source "$top/scripts/darknet.bash-completion"
}

# The words offered behind the given ones, the last of which is under the cursor.
offered() {
    COMP_WORDS=(darknet "$@")
    COMP_CWORD=$#
    _darknet
    echo "${COMPREPLY[*]}"
}

@test "commands, verbs and flags are offered" {
    [ "$(offered dete)" = "detector detect" ]
    [ "$(offered detector tr)" = "train" ]
    [ "$(offered -i 0 gdrq conv)" = "convert" ]
    [ "$(offered detector train -see)" = "-seed" ]
    [ "$(offered detector train a.data b.cfg -earl)" = "-early_stop" ]
    [ "$(offered detect -thr)" = "-thresh" ]
    [ "$(offered detector demo -out)" = "-out_filename" ]
    [ "$(offered -cpumask avx2 gdrq conv)" = "convert" ]
    [ "$(offered detect -cpu)" = "-cpumask" ]
    [ "$(offered detect -cpumask av)" = "avx2 avx512vnni" ]
}

@test "files are left to the shell, and the stock command's business too" {
    [ "$(offered detector train a)" = "" ]
    [ "$(offered rnn -)" = "" ]
    [ "$(offered classifier csv -)" = "" ]
}

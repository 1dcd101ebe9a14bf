# Owns one server of a test: guard.sh DIRECTORY COMMAND...
#
# Standard input is a pipe whose other end only the test process holds. Each line on it is a verb, answered by
# one line. When the pipe closes (the test process ended, however), the server is ended and its directory removed.
directory=$1
shift
server=

# The kernel sends HUP to a group with a paused member when the group's parent has gone.
trap '' HUP

while read -r verb; do
    case $verb in
        start)  "$@" >>"$directory/log" 2>&1 </dev/null & server=$! ;;
        stop)   kill -s INT "$server"; wait "$server" ;;
        pause)  kill -s STOP "$server" ;;
        resume) kill -s CONT "$server" ;;
    esac
    echo "$verb"
done

# INT, because a shell's background children are born deaf to QUIT, and TERM would let PostgreSQL wait for its
# clients. Whoever is paused must wake to hear it.
if [ -n "$server" ]; then
    kill -s INT "$server"
    kill -s CONT "$server"
    wait "$server"
fi
rm -rf "$directory"

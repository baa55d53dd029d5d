%% Distributed Erlang as an entrant: gen_server calls between two BEAM nodes on loopback.
%% It reads "PIECE SECONDS" lines and answers with one number each: a rate, as the piece's unit says.
-module(gen_server_entrant).
-behaviour(gen_server).
-export([serve/0, answer/1, start/0, init/1, handle_call/3, handle_cast/2]).

init(_) -> {ok, 0}.
handle_call({add, Amount}, _From, Total) -> {reply, Total + Amount, Total + Amount};
handle_call({size, Bytes}, _From, Total) -> {reply, byte_size(Bytes), Total}.
handle_cast(_, Total) -> {noreply, Total}.

%% The answering node.
serve() -> {ok, _} = gen_server:start({local, counter}, ?MODULE, [], []).
start() -> gen_server:start(?MODULE, [], []).

%% The calling node.
answer([Server]) ->
    pong = reached(Server, 100),
    gen_server:call({counter, Server}, {add, 1}, infinity),
    io:format("up~n"),
    read(Server).

reached(Server, 0) -> net_adm:ping(Server);
reached(Server, Tries) ->
    case net_adm:ping(Server) of
        pong -> wait_for_counter(Server, Tries);
        pang -> timer:sleep(50), reached(Server, Tries - 1)
    end.

wait_for_counter(Server, Tries) ->
    case rpc:call(Server, erlang, whereis, [counter]) of
        Pid when is_pid(Pid) -> pong;
        _ when Tries > 0 -> timer:sleep(20), wait_for_counter(Server, Tries - 1)
    end.

read(Server) ->
    case io:get_line("") of
        eof -> rpc:cast(Server, erlang, halt, []), timer:sleep(100), halt(0);
        Line ->
            [Name, Text] = string:lexemes(string:trim(Line), " "),
            {Operation, Count} = piece(Name, {counter, Server}, Server),
            Operation(),
            io:format("~p~n", [Count / median(Operation, list_to_float(Text))]),
            read(Server)
    end.

piece("call", Counter, _) -> {fun() -> gen_server:call(Counter, {add, 1}, infinity) end, 1};
piece("calls", Counter, _) -> {fun() -> in_flight([Counter || _ <- lists:seq(1, 1000)]) end, 1000};
piece("one_to_n", _, Server) ->
    Counters = [made(Server) || _ <- lists:seq(1, 4)],
    {fun() -> in_flight(lists:append([Counters || _ <- lists:seq(1, 250)])) end, 1000};
piece("small_argument", Counter, _) ->
    Bytes = binary:copy(<<0>>, 1048576),
    {fun() -> gen_server:call(Counter, {size, Bytes}, infinity) end, 1};
piece("create", _, Server) ->
    {fun() ->
        Counters = [made(Server) || _ <- lists:seq(1, 1000)],
        in_flight(Counters),
        [exit(Counter, kill) || Counter <- Counters]
    end, 1000}.

made(Server) -> {ok, Pid} = rpc:call(Server, ?MODULE, start, []), Pid.

in_flight(Counters) ->
    Requests = [gen_server:send_request(Counter, {add, 1}) || Counter <- Counters],
    [gen_server:receive_response(Request, infinity) || Request <- Requests].

median(Operation, Seconds) ->
    End = erlang:monotonic_time(microsecond) + round(Seconds * 1000000),
    Samples = lists:sort(sample(Operation, End, [], 0)),
    lists:nth(length(Samples) div 2 + 1, Samples) / 1.0e9.

sample(Operation, End, Samples, Count) ->
    Begin = erlang:monotonic_time(nanosecond),
    Operation(),
    Now = erlang:monotonic_time(nanosecond),
    Took = [Now - Begin | Samples],
    case Now div 1000 > End andalso Count > 2 of
        true -> Took;
        false -> sample(Operation, End, Took, Count + 1)
    end.

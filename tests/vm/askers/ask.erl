% SPDX-License-Identifier: MIT
% Each line of input is a request, each draw a line of the answer.
-module(ask).
-export([start/0]).

start() ->
    case io:get_line("") of
        eof ->
            halt();
        _ ->
            io:format("rand:uniform ~.16b~n", [rand:uniform(1 bsl 58)]),
            io:format("make_ref ~p~n", [make_ref()]),
            start()
    end.

"""The engine in its own process, so that the output survives any failure of the engine.

    the show's process                                    the engine's process
    loop -> RemoteEngine -> EngineProcess  == pipe ==>    child: server -> Stream
            Supervisor ------^             <= memory =>

The supervisor starts processes and keeps time. Requests are futures, which fail when the process they went to is gone. Messages
are JSON over a private pipe (no pickle); pictures lie in shared memory. The parent needs no torch. A chunk may be requested while
the previous one is computed; answers come in the order of the requests. Before the child sets a stream up it says so: the picture
is covered, and the set-up may take as long as loading.
"""

"""The engine in a process of its own, so that whatever happens to it, the output goes on.

    the show's process                                    the engine's process
    loop -> RemoteEngine -> EngineProcess  == pipe ==>    child: server -> Stream
            Supervisor ------^             <= memory =>

The supervisor starts processes and keeps time; requests are futures, which fail when the process they went to is gone.
Messages are JSON over a private pipe (no pickle); pictures lie in memory that both see. The parent needs no torch. A chunk may
be asked for while the one before it is computed; answers come in the order of the requests.
"""

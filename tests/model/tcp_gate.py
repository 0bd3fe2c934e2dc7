"""A gate between a client and a server that can cut what goes through it."""

import contextlib
import socket
import threading

# Of a failed transaction: section "Message Formats" of the manual of PostgreSQL.
READY_FOR_QUERY = b"Z\0\0\0\5E"


class TcpGate:
    """Listens on a free port and passes bytes on to `port`, both ways, until it is cut."""

    def __init__(self, port):
        self.target = port
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.lock = threading.Lock()
        self.pairs = []
        self.is_shut = False
        self.mark = None
        self.cuts = 0
        self.passes = threading.Event()
        self.passes.set()
        self.thread = threading.Thread(target=self._accept, daemon=True)
        self.thread.start()

    def _accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            with self.lock:
                if self.is_shut:
                    client.close()
                    continue
            try:
                server = socket.create_connection(("127.0.0.1", self.target))
            except OSError:
                client.close()
                continue
            with self.lock:
                self.pairs.append((client, server))
            for source, sink in ((client, server), (server, client)):
                threading.Thread(target=self._pass, args=(source, sink), daemon=True).start()

    def _pass(self, source, sink):
        with contextlib.suppress(OSError):
            while data := source.recv(65_536):
                if self.mark and self.mark in data:
                    self.mark = None
                    self.cuts += 1
                    sink.sendall(data.removesuffix(READY_FOR_QUERY))
                    break
                self.passes.wait()
                sink.sendall(data)
        for one in (source, sink):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)

    def cut_behind(self, mark):
        """Cuts a connection once, behind the answer of PostgreSQL that holds these bytes."""
        self.mark = mark

    def hold(self):
        """Keeps what comes from now on, without a word to either side, until let_go()."""
        self.passes.clear()

    def let_go(self):
        self.passes.set()

    def cut(self):
        """Ends every connection, wherever it is; new ones are taken."""
        with self.lock:
            pairs, self.pairs = self.pairs, []
        for pair in pairs:
            for one in pair:
                with contextlib.suppress(OSError):
                    one.shutdown(socket.SHUT_RDWR)
                one.close()

    def shut(self):
        """Cuts, and takes no new connection until open()."""
        with self.lock:
            self.is_shut = True
        self.cut()

    def open(self):
        with self.lock:
            self.is_shut = False

    def close(self):
        self.listener.close()
        self.let_go()
        self.cut()

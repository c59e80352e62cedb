"""What may stand between the agent and the cloud: a door that speaks TLS, is a proxy, spoils what passes, or is shut."""
import pathlib
import socket
import ssl
import subprocess
import threading


class Front:
    """Passes connections from its own port on to another port of this machine, as its fields say just then."""

    def __init__(self, target):
        self.target = target
        self.certificate = None       # (certificate file, key file): speaks TLS
        self.proxy = False            # wants CONNECT, and leads every host to the target
        self.refusal = None           # the proxy's answer in place of a connection: "407 Proxy Authentication Required"
        self.spoil = lambda data: data  # what the agent sends passes through this
        self.connections = 0
        self.listener = None
        self.open()

    def open(self):
        port = self.port if self.listener else 0
        self.listener = socket.create_server(("127.0.0.1", port))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._accept, args=(self.listener,), daemon=True).start()

    def shut(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()

    def _accept(self, listener):
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client):
        try:
            with client, socket.create_connection(("127.0.0.1", self.target)) as server:
                if self.proxy and not self._connect(client):
                    return
                if self.certificate:
                    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
                    context.load_cert_chain(*self.certificate)
                    client = context.wrap_socket(client, server_side=True)
                threading.Thread(target=self._pass, args=(server, client, lambda data: data), daemon=True).start()
                self._pass(client, server, self.spoil)
        except OSError:
            pass

    def _connect(self, client):
        head = b""
        while b"\r\n\r\n" not in head:
            head += client.recv(4096) or b"\r\n\r\n"
        if self.refusal:
            client.sendall(f"HTTP/1.1 {self.refusal}\r\nContent-Length: 0\r\n\r\n".encode())
            return False
        client.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
        return True

    @staticmethod
    def _pass(source, to, change):
        try:
            while data := source.recv(65536):
                to.sendall(change(data))
        except OSError:
            pass
        for end in (source, to):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass


def make_certificates(folder, host):
    """In the folder: authorities ca and other; and (certificate, key) by name: right, of another authority, for another host, expired."""
    folder = pathlib.Path(folder)

    def openssl(*words):
        subprocess.run(["openssl", *words], cwd=folder, check=True, capture_output=True, timeout=60)

    made = {}
    key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")
    for name in ("ca", "other"):
        openssl("req", "-x509", *key, "-days", "2", "-subj", f"/CN={name}", "-keyout", f"{name}.key", "-out", f"{name}.pem")
    for name, issuer, named, days in (("right", "ca", host, 2), ("stranger", "other", host, 2),
                                      ("elsewhere", "ca", "elsewhere.example", 2), ("expired", "ca", host, -1)):
        openssl("req", *key, "-subj", f"/CN={name}", "-addext", f"subjectAltName=DNS:{named}", "-keyout", f"{name}.key",
                "-out", f"{name}.csr")
        openssl("x509", "-req", "-in", f"{name}.csr", "-CA", f"{issuer}.pem", "-CAkey", f"{issuer}.key", "-CAcreateserial",
                "-days", str(days), "-copy_extensions", "copy", "-out", f"{name}.pem")
        made[name] = (folder / f"{name}.pem", folder / f"{name}.key")
    return made

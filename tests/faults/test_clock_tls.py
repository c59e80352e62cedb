"""Certificates have dates: with a wrong clock TLS fails, and the message must name the clock."""
import os
import unittest

from link_parts import free_port, make_certificates
from whole import FAST, config
from wrong_clock import HOUR, YEARS, WithLab


class Certificates(WithLab):
    def start(self, shift):
        """Tenant and broker with certificates that are valid from now on for two days; the agent's clock is off by `shift`."""
        lab = self.lab
        lab.step(shift)
        make_certificates(lab.home)
        lab.home.chmod(0o755)
        port = free_port()
        lab.start_broker(f"listener {port} 127.0.0.1\ncafile {lab.home}/ca.crt\ncertfile {lab.home}/broker.crt\n"
                         f"keyfile {lab.home}/broker.key\n")
        os.environ["SSL_CERT_FILE"] = str(lab.home / "ca.crt")  # for this test's own requests
        self.addCleanup(os.environ.pop, "SSL_CERT_FILE")
        lab.start_cloud(*FAST, "--cert", str(lab.home / "broker.crt"), "--key", str(lab.home / "broker.key"))
        lab.tenant = lab.tenant.replace("http:", "https:")
        lab.start_balance("--weight", "2")
        for folder in ("worklists", "results"):
            (lab.home / "hamilton" / folder).mkdir(parents=True)
        lab.write_config(config(cloud=f'events = "both"; poll_interval = "1s"; ca_file = "{lab.home}/ca.crt";',
                                link=f'broker = "mqtts://localhost:{port}"; ca_file = "{lab.home}/ca.crt";'))
        self.start_agent()

    def start_agent(self):
        self.lab.start_agent(wait=False)
        self.lab.until("it answers", self.answers)

    def answers(self):
        try:
            return self.lab.ask("status")
        except (OSError, ValueError):
            return None

    def explained(self, words):
        """Both say so, and what the clock says."""
        for part, error in (("link", "error"), ("cloud", "last_error")):
            self.lab.until(f"{part} explains it", lambda: words in (self.answers()[part].get(error) or ""))
            self.assertRegex(self.answers()[part][error], r"the clock of this machine says \d{4}-\d\d-\d\dT.*set ")

    def heals(self):
        """The clock is set, and all goes on by itself."""
        lab = self.lab
        lab.step(0)
        lab.until("the broker is there", lambda: self.answers()["link"]["state"] == "online")
        task = lab.new_task()
        lab.until("it is done", lambda: lab.task_status(task) == "COMPLETED")

    def test_behind(self):
        """with a clock that is behind, the certificates of cloud and broker are reported as not yet valid; once it is set, work goes on"""
        self.start(-HOUR)
        self.explained("not yet valid")
        self.heals()

    def test_ahead(self):
        """with a clock that is ahead, the certificates of cloud and broker are reported as expired; once it is set, work goes on"""
        self.start(YEARS)
        self.explained("expired")
        self.heals()

    def test_without_rtc(self):
        """in 1970 too, the certificates are reported as not yet valid"""
        self.start(0)
        self.lab.stop("agent")
        self.lab.step_to_1970()
        self.start_agent()
        self.explained("not yet valid")
        self.assertIn("1970-01-01", self.answers()["cloud"]["last_error"])
        self.heals()


if __name__ == "__main__":
    unittest.main()

//! A real browser for tests of the pages that Bifocal writes and serves.
//!
//! Chromium's debugging protocol is JSON messages that end in a zero byte. Over `--remote-debugging-pipe` it needs two pipes and no
//! WebSocket, so serde_json is all that this file takes; the crates that do the same (headless_chrome, chromiumoxide, fantoccini) bring
//! dozens of others. Methods and events: <https://chromedevtools.github.io/devtools-protocol/>.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use base64::Engine as _;
use serde_json::{Value, json};

/// What a busy machine may take for an answer.
const PATIENCE: Duration = Duration::from_secs(60);

/// A page in a browser of its own, with an empty profile; the browser ends with it.
pub(crate) struct Page {
    process: Child,
    to_browser: Option<ChildStdin>,
    from_browser: Receiver<Value>,
    session: Option<String>,
    num_calls: u64,
    events: Vec<Value>,
    _profile: tempfile::TempDir,
}

impl Page {
    /// An empty page, 1280 by 800 pixels.
    pub(crate) fn new() -> Self {
        let profile = tempfile::tempdir().unwrap();
        // The browser reads from file 3 and writes to file 4; the shell puts our pipes there.
        let mut process = Command::new("sh")
            .args(["-c", "exec \"$@\" 3<&0 4>&1 0</dev/null 1>/dev/null", "sh"])
            .arg(program())
            .arg("--remote-debugging-pipe")
            .arg(format!("--user-data-dir={}", profile.path().display()))
            .args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"])
            .args(["--disable-background-networking", "--disable-component-update", "--disable-sync"])
            .args(["--disable-dev-shm-usage", "--no-default-browser-check", "--disable-extensions"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| panic!("no browser starts: {error}"));
        let to_browser = process.stdin.take();
        let mut pipe = BufReader::new(process.stdout.take().unwrap());
        let (sender, from_browser) = channel();
        std::thread::spawn(move || {
            let mut message = Vec::new();
            while pipe.read_until(0, &mut message).is_ok_and(|num_bytes| num_bytes > 0) {
                message.pop();
                if sender.send(serde_json::from_slice(&message).unwrap()).is_err() {
                    return;
                }
                message.clear();
            }
        });
        let mut page = Self {
            process,
            to_browser,
            from_browser,
            session: None,
            num_calls: 0,
            events: Vec::new(),
            _profile: profile,
        };
        let target = page.call("Target.createTarget", json!({"url": "about:blank"}));
        let attached = page
            .call("Target.attachToTarget", json!({"targetId": target["targetId"].as_str().unwrap(), "flatten": true}));
        page.session = Some(attached["sessionId"].as_str().unwrap().to_string());
        for domain in ["Page", "Runtime", "Log", "Network"] {
            page.call(&format!("{domain}.enable"), json!({}));
        }
        page.set_viewport(1280, 800);
        page
    }

    /// Goes to an address and waits until it has loaded.
    pub(crate) fn open(&mut self, url: &str) {
        self.events.retain(|event| event["method"] != "Page.loadEventFired");
        let answer = self.call("Page.navigate", json!({ "url": url }));
        assert!(answer["errorText"].is_null(), "{url}: {answer}");
        while !self.events.iter().any(|event| event["method"] == "Page.loadEventFired") {
            let message = self.receive("the page to load");
            self.events.push(message);
        }
    }

    /// Opens a file.
    pub(crate) fn open_file(&mut self, file: &Path) {
        self.open(&format!("file://{}", file.display()));
    }

    /// The value of a JavaScript expression, a promise's included.
    pub(crate) fn eval(&mut self, expression: &str) -> Value {
        let answer = self
            .call("Runtime.evaluate", json!({"expression": expression, "returnByValue": true, "awaitPromise": true}));
        assert!(answer["exceptionDetails"].is_null(), "{expression}: {}", answer["exceptionDetails"]);
        answer["result"]["value"].clone()
    }

    /// The text of the first element that a CSS selector finds.
    pub(crate) fn text(&mut self, selector: &str) -> String {
        let text = self.eval(&format!("document.querySelector({})?.textContent ?? null", json!(selector)));
        text.as_str().unwrap_or_else(|| panic!("nothing is {selector}")).to_string()
    }

    /// Waits until an expression is true.
    pub(crate) fn wait_until(&mut self, condition: &str) {
        let came_true = self.eval(&format!(
            "new Promise(resolve => {{ const end = Date.now() + 30000; const look = () => \
             ({condition}) ? resolve(true) : Date.now() > end ? resolve(false) : setTimeout(look, 20); look(); }})"
        ));
        assert_eq!(came_true, true, "never came true: {condition}");
    }

    /// Presses and releases the mouse in the middle of the first element that a CSS selector finds, scrolled into view.
    pub(crate) fn click(&mut self, selector: &str) {
        let place = self.eval(&format!(
            "(() => {{ const element = document.querySelector({}); if (!element) return null; \
             element.scrollIntoView({{block: 'center', behavior: 'instant'}}); const box = element.getBoundingClientRect(); \
             return {{x: box.x + box.width / 2, y: box.y + box.height / 2}}; }})()",
            json!(selector)
        ));
        assert!(place.is_object(), "nothing is {selector}");
        for kind in ["mouseMoved", "mousePressed", "mouseReleased"] {
            let event = json!({"type": kind, "x": place["x"], "y": place["y"], "button": "left", "clickCount": 1});
            self.call("Input.dispatchMouseEvent", event);
        }
    }

    /// Presses and releases a key as `KeyboardEvent.key` names it: `j`, `3`, `Enter`, `ArrowDown`, `Tab`.
    pub(crate) fn press(&mut self, key: &str) {
        let (text, code) = match key {
            "Enter" => (Some("\r"), 13),
            "Tab" => (None, 9),
            "Escape" => (None, 27),
            "Backspace" => (None, 8),
            "ArrowLeft" => (None, 37),
            "ArrowUp" => (None, 38),
            "ArrowRight" => (None, 39),
            "ArrowDown" => (None, 40),
            _ => {
                assert_eq!(key.chars().count(), 1, "name the key {key} here");
                (Some(key), u32::from(key.to_ascii_uppercase().chars().next().unwrap()))
            }
        };
        let kind = if text.is_some() { "keyDown" } else { "rawKeyDown" };
        let mut event = json!({"type": kind, "key": key, "windowsVirtualKeyCode": code});
        if let Some(text) = text {
            event["text"] = json!(text);
        }
        self.call("Input.dispatchKeyEvent", event);
        self.call("Input.dispatchKeyEvent", json!({"type": "keyUp", "key": key, "windowsVirtualKeyCode": code}));
    }

    /// Types into what has the focus.
    pub(crate) fn type_text(&mut self, text: &str) {
        self.call("Input.insertText", json!({ "text": text }));
    }

    /// The size of the window in CSS pixels.
    pub(crate) fn set_viewport(&mut self, width: u32, height: u32) {
        let size = json!({"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600});
        self.call("Emulation.setDeviceMetricsOverride", size);
    }

    /// `media`: `screen` or `print`; `scheme`: `light` or `dark`.
    pub(crate) fn set_media(&mut self, media: &str, scheme: &str) {
        let features = json!([{"name": "prefers-color-scheme", "value": scheme}]);
        self.call("Emulation.setEmulatedMedia", json!({"media": media, "features": features}));
    }

    /// Whether the pages' own scripts run, from the next page on; [`Page::eval`] works either way.
    pub(crate) fn set_scripts(&mut self, run: bool) {
        self.call("Emulation.setScriptExecutionDisabled", json!({"value": !run}));
    }

    /// Keeps a picture of the whole page for people to look at, in `target/tmp/browser/NAME.png`.
    pub(crate) fn picture(&mut self, name: &str) -> PathBuf {
        let answer = self.call("Page.captureScreenshot", json!({"format": "png", "captureBeyondViewport": true}));
        keep(&format!("{name}.png"), &answer)
    }

    /// Prints the page to `target/tmp/browser/NAME.pdf`, A4.
    pub(crate) fn pdf(&mut self, name: &str) -> PathBuf {
        let paper =
            json!({"paperWidth": 8.27, "paperHeight": 11.69, "printBackground": true, "preferCSSPageSize": true});
        let answer = self.call("Page.printToPDF", paper);
        keep(&format!("{name}.pdf"), &answer)
    }

    /// What the page's scripts threw, what was written to the console as an error, and what the browser itself complained of.
    pub(crate) fn errors(&mut self) -> Vec<String> {
        self.call("Runtime.evaluate", json!({"expression": "0"}));
        let is_error = |event: &&Value| match event["method"].as_str() {
            Some("Runtime.exceptionThrown") => true,
            Some("Runtime.consoleAPICalled") => event["params"]["type"] == "error",
            Some("Log.entryAdded") => event["params"]["entry"]["level"] == "error",
            _ => false,
        };
        self.events.iter().filter(is_error).map(|event| event["params"].to_string()).collect()
    }

    /// The addresses that the page asked for, its own first.
    pub(crate) fn requests(&mut self) -> Vec<String> {
        self.call("Runtime.evaluate", json!({"expression": "0"}));
        let asked = self.events.iter().filter(|event| event["method"] == "Network.requestWillBeSent");
        asked.filter_map(|event| event["params"]["request"]["url"].as_str()).map(str::to_string).collect()
    }

    fn call(&mut self, method: &str, params: Value) -> Value {
        self.num_calls += 1;
        let mut message = json!({"id": self.num_calls, "method": method, "params": params});
        if let Some(session) = &self.session {
            message["sessionId"] = json!(session);
        }
        let mut bytes = message.to_string().into_bytes();
        bytes.push(0);
        self.to_browser.as_mut().unwrap().write_all(&bytes).unwrap();
        loop {
            let mut message = self.receive(method);
            if message["id"] == self.num_calls {
                assert!(message["error"].is_null(), "{method}: {}", message["error"]);
                return message["result"].take();
            }
            self.events.push(message);
        }
    }

    fn receive(&mut self, awaited: &str) -> Value {
        self.from_browser.recv_timeout(PATIENCE).unwrap_or_else(|error| panic!("waiting for {awaited}: {error}"))
    }
}

impl Drop for Page {
    fn drop(&mut self) {
        // A browser whose pipe is closed ends by itself; killing makes sure of it.
        drop(self.to_browser.take());
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// `BIFOCAL_BROWSER`, or else the first of Chromium's names that is installed.
fn program() -> PathBuf {
    if let Some(program) = std::env::var_os("BIFOCAL_BROWSER") {
        return program.into();
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders: Vec<PathBuf> = std::env::split_paths(&path).collect();
    let names = ["chromium", "chromium-browser", "google-chrome"];
    names
        .iter()
        .flat_map(|name| folders.iter().map(move |folder| folder.join(name)))
        .find(|program| program.is_file())
        .unwrap_or_else(|| {
            panic!("no browser: `make browser` installs one, or set BIFOCAL_BROWSER to Chromium's program")
        })
}

fn keep(name: &str, answer: &Value) -> PathBuf {
    let bytes = base64::engine::general_purpose::STANDARD.decode(answer["data"].as_str().unwrap()).unwrap();
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join("browser").join(name);
    fs_err::create_dir_all(file.parent().unwrap()).unwrap();
    fs_err::write(&file, bytes).unwrap();
    file
}

#[test]
fn a_page_is_opened_clicked_typed_into_and_looked_at() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("page.html");
    fs_err::write(
        &file,
        "<!doctype html><meta name=viewport content=width=device-width><title>a page</title><button onclick=\"this.textContent = 'pressed'\">press</button><input>\
         <p></p><script>document.querySelector('input').addEventListener('keydown', event => {\
         document.querySelector('p').textContent += event.key; })</script>",
    )
    .unwrap();
    let mut page = Page::new();
    page.open_file(&file);
    assert_eq!(page.eval("document.title"), "a page");
    page.click("button");
    assert_eq!(page.text("button"), "pressed");
    page.click("input");
    page.type_text("grade ");
    page.press("3");
    page.press("ArrowDown");
    page.wait_until("document.querySelector('p').textContent.length > 1");
    assert_eq!(page.eval("document.querySelector('input').value"), "grade 3");
    assert_eq!(page.text("p"), "3ArrowDown");
    page.set_viewport(360, 640);
    assert_eq!(page.eval("innerHeight"), 640);
    page.set_media("print", "dark");
    assert_eq!(page.eval("matchMedia('print').matches && matchMedia('(prefers-color-scheme: dark)').matches"), true);
    assert!(fs_err::read(page.picture("page")).unwrap().starts_with(b"\x89PNG"));
    assert!(fs_err::read(page.pdf("page")).unwrap().starts_with(b"%PDF"));
    assert_eq!(page.errors(), Vec::<String>::new());
    page.eval("console.error('said'); setTimeout(() => { throw new Error('thrown'); }, 0); 0");
    page.wait_until("true");
    while page.errors().len() < 2 {
        page.wait_until("true");
    }
    page.set_scripts(false);
    page.open_file(&file);
    page.click("button");
    assert_eq!(page.text("button"), "press");
    assert_eq!(page.requests().len(), 2);
}

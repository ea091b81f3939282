// Pages without a live connection: times in words.
import { keepTimes } from "./times.js";

keepTimes();

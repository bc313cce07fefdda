"""Parts of `staffa demo`: keywords, a brittle documentation server, and how to read its pages."""

"""models/gpt.net and models/char_lstm.net in PyTorch, with what a user keeps of a text that grows:
`step` gives the logits of one more token."""
import torch
from torch import nn
from torch.nn import functional


class Layer(nn.Module):
    def __init__(self, width, heads, length, p):
        super().__init__()
        self.heads = heads
        self.ln_1, self.ln_2 = (nn.LayerNorm(width, bias=False) for _ in range(2))
        self.attn, self.mlp, self.dropout = nn.Module(), nn.Module(), nn.Dropout(p)
        self.attn.c_attn = nn.Linear(width, 3 * width, bias=False)
        self.attn.c_proj = nn.Linear(width, width, bias=False)
        self.mlp.c_fc = nn.Linear(width, 4 * width, bias=False)
        self.mlp.c_proj = nn.Linear(4 * width, width, bias=False)
        self.kept = [torch.zeros(1, heads, length, width // heads) for _ in range(2)]

    def split(self, x):
        """Queries, keys and values [n, heads, t, width of a head]."""
        n, t, width = x.shape
        parts = self.attn.c_attn(self.ln_1(x)).split(width, 2)
        return [part.view(n, t, self.heads, -1).transpose(1, 2) for part in parts]

    def joined(self, x, y):
        y = y.transpose(1, 2).reshape(x.shape)
        x = x + self.dropout(self.attn.c_proj(y))
        y = functional.gelu(self.mlp.c_fc(self.ln_2(x)))
        return x + self.dropout(self.mlp.c_proj(y))

    def forward(self, x):
        q, k, v = self.split(x)
        return self.joined(x, functional.scaled_dot_product_attention(q, k, v, is_causal=True))

    def step(self, x, position):
        q, *new = self.split(x)
        for kept, one in zip(self.kept, new):
            kept[:, :, position] = one[:, :, 0]
        k, v = (kept[:, :, : position + 1] for kept in self.kept)
        return self.joined(x, functional.scaled_dot_product_attention(q, k, v))


class GPT(nn.Module):
    def __init__(self, tokens=65, length=256, width=384, layers=6, heads=6, p=0.2):
        super().__init__()
        self.transformer = nn.ModuleDict(
            {
                "wte": nn.Embedding(tokens, width),
                "wpe": nn.Embedding(length, width),
                "h": nn.ModuleList(Layer(width, heads, length, p) for _ in range(layers)),
                "ln_f": nn.LayerNorm(width, bias=False),
            }
        )
        self.dropout = nn.Dropout(p)
        self.lm_head = nn.Linear(width, tokens, bias=False)
        self.lm_head.weight = self.transformer.wte.weight

    def forward(self, tokens):
        x = self.dropout(self.transformer.wte(tokens) + self.transformer.wpe.weight)
        for layer in self.transformer.h:
            x = layer(x)
        return self.lm_head(self.transformer.ln_f(x))

    def step(self, token, position):
        """token [1, 1]"""
        x = self.transformer.wte(token) + self.transformer.wpe.weight[position]
        for layer in self.transformer.h:
            x = layer.step(x, position)
        return self.lm_head(self.transformer.ln_f(x))


class CharLSTM(nn.Module):
    def __init__(self, tokens=100, width=100):
        super().__init__()
        self.encoder = nn.Embedding(tokens, width)
        self.rnn = nn.LSTM(width, width, num_layers=2, batch_first=True)
        self.decoder = nn.Linear(width, tokens)
        self.state = None

    def forward(self, tokens):
        return self.decoder(self.rnn(self.encoder(tokens))[0])

    def step(self, token, position):
        before = self.state if position else None
        y, self.state = self.rnn(self.encoder(token), before)
        return self.decoder(y)


NETWORKS = {"gpt": GPT, "char_lstm": CharLSTM}
